# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The impact of statements that commit one by one, and what is made of it."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.impact import locks as lock_sampling
from ansible_collections.pgops.runbook.plugins.module_utils.impact.locks import LOOK_EVERY_SECONDS
from ansible_collections.pgops.runbook.plugins.module_utils.impact.one_by_one import ImpactOneByOne
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import (
    ServerUnreachable,
)

from demo.local_server import LocalServer
from tests.integration.execution.one_by_one_runs import BUILD, VALIDITY, query, run, script_of
from tests.integration.step_runs import StepRuns


def measured(connection: Any, tmp_path: Path, text: Any) -> tuple[Any, ...]:
    impact = ImpactOneByOne(with_sizes=True)
    migration = script_of(tmp_path, text)
    timings = run(connection, migration, impact=impact)
    return timings, impact.result()


def test_statements_in_transactions_of_their_own_are_measured_and_added_up(
    table: Any, tmp_path: Path
) -> None:
    timings, impact = measured(
        table,
        tmp_path,
        "UPDATE item SET name = 'x' WHERE id < 8;\nUPDATE item SET name = 'y' WHERE id < 4;\n"
        "ALTER TABLE item ALTER id TYPE bigint;\nVACUUM item;",
    )
    assert impact["rows"] == {"public.item": {"inserted": 0, "updated": 10, "deleted": 0}}
    assert list(impact["rewritten"]) == ["public.item"]
    assert impact["rewritten"]["public.item"] > 0
    assert [timing["rewritten"] for timing in timings] == [[], [], ["public.item"], []]
    assert impact["wal_bytes"] == sum(timing["wal_bytes"] for timing in timings) > 0
    locks = {lock["mode"]: lock for lock in impact["locks"] if not lock.get("sampled")}
    assert locks["AccessExclusiveLock"]["line"] == 3
    assert locks["AccessExclusiveLock"]["table_bytes"] > 0


def test_the_lock_of_a_lone_statement_is_sampled_for_as_long_as_it_is_held(
    server: LocalServer, database: str, table: Any, tmp_path: Path
) -> None:
    """CONCURRENTLY holds its lock while it waits for an older transaction."""
    with contextlib.closing(server.connect(database)) as older:
        older.cursor().execute("BEGIN; UPDATE item SET name = name WHERE id = 1")
        timer = threading.Timer(0.8, older.rollback)
        timer.start()
        timings, impact = measured(table, tmp_path, f"{BUILD};")
        timer.join()
    (lock,) = impact["locks"]
    assert (lock["table"], lock["mode"], lock["line"]) == ("public.item", "ShareUpdateExclusiveLock", 1)
    assert 0 < lock["held_seconds"] <= timings[0]["seconds"] + LOOK_EVERY_SECONDS
    assert lock["table_bytes"] > 0
    assert timings[0]["locks"] == [{"table": "public.item", "mode": "ShareUpdateExclusiveLock"}]


def test_a_lone_statement_that_rewrites_a_table_is_seen_to(table: Any, tmp_path: Path) -> None:
    timings, impact = measured(table, tmp_path, "VACUUM FULL item;")
    assert timings[0]["rewritten"] == list(impact["rewritten"]) == ["public.item"]
    assert impact["wal_bytes"] > 0


def test_where_locks_cannot_be_looked_at_the_result_says_so(
    table: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(connection: Any) -> None:
        raise ServerUnreachable("server_unreachable", "too many connections")

    monkeypatch.setattr(lock_sampling, "connect_again", refuse)
    _, impact = measured(table, tmp_path, f"{BUILD};")
    assert impact["locks_observed"] is False
    assert query(table, VALIDITY) == [(True,)], "the statement runs all the same"


def test_the_policy_looks_at_statements_that_commit_one_by_one(runs: StepRuns) -> None:
    runs.write(
        migrations__002_author="-- Transaction: none\nALTER TABLE notes ADD COLUMN author text;\nVACUUM FULL notes;"
    )
    runs.up_to("verify_restore")
    answer = runs.step("rehearse", large_table_mb=0)
    assert answer["outcome"] == "refused"
    assert "it rewrites public.notes" in answer["msg"]


def test_production_is_measured_beside_the_copy(runs: StepRuns) -> None:
    runs.write(
        migrations__002_author="-- Transaction: none\nALTER TABLE notes ADD COLUMN author text;\n"
        "UPDATE notes SET author = 'ada';"
    )
    runs.up_to("apply")
    (production,) = runs.ask(
        "SELECT document::jsonb #> '{outputs,impact}' FROM runbook.receipt WHERE step = 'apply' AND status = 'ok'"
    )[0]
    (copy,) = runs.ask(
        "SELECT document::jsonb #> '{outputs,migrations,0,impact}' FROM runbook.receipt WHERE step = 'rehearse'"
    )[0]
    assert production["rows"] == copy["rows"]
    assert production["rows"]["public.notes"]["updated"] == 3
    assert [lock["mode"] for lock in production["locks"]] == [lock["mode"] for lock in copy["locks"]]


def test_a_migration_whose_first_statement_fails_has_not_begun(runs: StepRuns) -> None:
    runs.write(migrations__002_author="-- Transaction: none\nALTER TABLE notes ADD COLUMN author text;")
    runs.up_to("rehearse")
    with contextlib.closing(runs.server.connect(runs.database)) as other:
        other.cursor().execute("LOCK TABLE notes IN ACCESS SHARE MODE")
        answer = runs.step("apply", lock_attempts=1, lock_timeout_seconds=0.2)
    assert (answer["failed"], answer["outcome"]) == (True, "unchanged")
    assert runs.ask("SELECT count(*) FROM runbook.journal") == [(0,)], "and holds nobody up"


def test_a_statement_that_acts_otherwise_in_production_makes_the_deploy_fail(runs: StepRuns) -> None:
    """It is committed by then: the rollback of the failed deploy takes it back."""
    runs.write(
        migrations__002_author="-- Transaction: none\nALTER TABLE notes ADD COLUMN author text;\n"
        "DELETE FROM notes WHERE body = 'late';"
    )
    runs.up_to("rehearse")
    runs.execute("INSERT INTO notes (body) VALUES ('late')")
    answer = runs.step("apply")
    assert (answer["failed"], answer["outcome"]) == (True, "failed")
    assert "public.notes: 1 rows deleted in production, 0 on the copy" in answer["msg"]
    assert answer["committed"] == ["002"]
