# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A restore was killed while it kept the application out: the next command, whichever it is, lets it in again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres import maintenance
from ansible_collections.pgops.runbook.plugins.plugin_utils.report.status import status_report
from psycopg2 import sql

from tests.integration.restore_runs import closed
from tests.integration.step_runs import StepRuns

RESTORE = "ansible-playbook playbooks/restore.yml -e run_id=the-source"


@pytest.fixture
def shut(runs: StepRuns, admin: StepRuns) -> Iterator[StepRuns]:
    """The database lets nobody in, and what was restored lies beside it."""
    restored = f"{runs.database}_restored"
    name, text = sql.Identifier(restored), maintenance.swap_mark(runs.database, "the-restore", "the-source")
    live = sql.Identifier(runs.database)
    admin.execute(
        sql.SQL("CREATE DATABASE {}").format(name),
        sql.SQL("COMMENT ON DATABASE {} IS {}").format(name, sql.Literal(text)),
        sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(live),
    )
    try:
        yield runs
    finally:
        admin.execute(
            sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(live),
            sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name),
        )


@pytest.mark.parametrize(
    ("playbook", "step"),
    [
        ("status", "status"),
        ("salvage", "salvage"),
        ("deploy", "preflight"),
        ("rehearse", "preflight"),
        ("emergency_rollback", "preflight"),
        ("restore", "preflight"),
    ],
)
def test_any_command_lets_the_application_in(
    shut: StepRuns, admin: StepRuns, playbook: str, step: str
) -> None:
    assert closed(admin, shut.database)
    answer = shut.another(playbook, "001" if playbook == "emergency_rollback" else "002").step(step)
    assert not closed(admin, shut.database)
    warning = answer["warnings"][0]["event"]["msg"]
    assert warning.startswith(f"Database {shut.database} let nobody in: restore the-restore was killed")
    assert RESTORE in warning


def test_the_status_says_it_first(shut: StepRuns) -> None:
    answer = shut.another("status").must("status")
    assert answer["changed"]
    lines = status_report({**answer["outputs"], "signed": False}, "shop")
    (line,) = [line for line in lines if line.startswith("OPENED AGAIN: ")]
    assert RESTORE in line
    lines = status_report({**shut.another("status").must("status")["outputs"]}, "shop")
    assert not [line for line in lines if line.startswith("OPENED AGAIN")], "it is said once"


def test_check_mode_only_says_it(shut: StepRuns, admin: StepRuns) -> None:
    answer = shut.another("deploy").step("preflight", _ansible_check_mode=True)
    assert answer["reason_code"] == "database_closed_by_restore"
    assert "No row is lost, nothing was swapped." in answer["msg"]
    assert closed(admin, shut.database)


def test_a_restore_that_is_at_work_is_left_alone(
    shut: StepRuns, admin: StepRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "LOCK_WAIT_SECONDS", 0.3)
    with contextlib.closing(shut.server.connect("postgres")) as swap, swap.cursor() as cursor:
        maintenance.take_swap_lock(cursor, shut.database)
        answer = shut.another("status").step("status")
    assert answer["reason_code"] == "another_restore_in_progress"
    assert closed(admin, shut.database)
