# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The line of a drill, and how long ago the last one was that went well."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.drills import (
    age_in_days,
    newest_drill,
    note_drill,
    read_drills,
)
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.history import read_history
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import connect, transaction

from demo.local_server import LocalServer
from tests.integration.step_runs import target

PHASES = [{"phase": "deploy", "status": "ok", "started": "2026-01-02T03:04:05.000000Z", "seconds": 1.5}]


@pytest.fixture
def cursor(server: LocalServer, database: str) -> Iterator[Any]:
    with contextlib.closing(connect(target(server, database))) as connection, transaction(connection) as made:
        yield made


def note(cursor: Any, run_id: str, *migrations: str, reason: str | None = None) -> None:
    note_drill(cursor, run_id, migrations, "ada@desk", "2026-01-02T03:04:05Z", PHASES, reason)


def test_without_a_ledger_there_were_none(cursor: Any) -> None:
    assert (read_drills(cursor, 9), newest_drill(cursor), age_in_days(cursor)) == ([], None, None)


def test_a_drill_that_failed_has_no_age(cursor: Any) -> None:
    note(cursor, "d1", "009", reason="it broke")
    assert age_in_days(cursor) is None
    found = newest_drill(cursor)
    assert (found["outcome"], found["reason"], found["phases"]) == ("failed", "it broke", PHASES)
    note(cursor, "d2", "009")
    cursor.execute("UPDATE runbook.drill SET finished = clock_timestamp() - interval '36 hours'")
    assert round(age_in_days(cursor), 3) == 1.5


def test_the_history_has_drills_among_the_runs(cursor: Any) -> None:
    note(cursor, "d1", "008")
    note(cursor, "d2", "009", "010", reason="it broke")
    cursor.execute(
        "INSERT INTO runbook.run (run_id, playbook, migrations, operator, controller, lease_until, started, outcome)"
        " VALUES ('r1', 'deploy', '{009}', 'ada', '{}', now(), '2026-01-01', 'deployed'),"
        " ('r3', 'deploy', '{009}', 'ada', '{}', now(), '2026-01-03', 'deployed')"
    )
    assert [one["run_id"] for one in read_history(cursor, 9)] == ["r3", "d2", "d1", "r1"]
    assert [one["run_id"] for one in read_history(cursor, 2)] == ["r3", "d2"]
    assert [one["run_id"] for one in read_history(cursor, 9, "009")] == ["r3", "d2", "r1"]
    (drill,) = read_history(cursor, 9, outcome="drilled")
    assert (drill["run_id"], drill["playbook"], drill["tag"]) == ("d1", "drill", None)
    assert drill["steps"] == [
        {
            "step": "deploy",
            "migration": None,
            "status": "ok",
            "started": "2026-01-02T03:04:05.000000Z",
            "seconds": 1.5,
        }
    ]
