# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A restore is killed somewhere: the database answers under its name, and the same command ends it.

More moments are in test_restore_steps.py: while rows are carried over, and after the swap before its receipt.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.restore_runs import (
    Restore,
    beside,
    closed,
    drop_what_restores_left,
    replaced,
    slow_check,
    wait_for,
)
from tests.integration.step_runs import StepRuns

SLOW_CHECK = slow_check("slow_down")


def kill(process: subprocess.Popen) -> None:
    process.kill()
    process.wait()
    process.stdout.close()


def finish(proven: StepRuns, admin: StepRuns, killed: Restore) -> None:
    """The same command once more, which takes the run over, as the action plugin does for a process that is gone."""
    again = Restore(proven)
    again.step("preflight")
    answer = again.step("preflight", take_over=killed.run.run_id)
    assert not answer.get("failed"), answer
    assert answer["outputs"]["interrupted_run"]["run_id"] == killed.run.run_id
    assert answer["outputs"]["swapped_by"] is None
    assert beside(admin) == [], "what the killed one restored is dropped"
    assert files_left(proven, killed) == []
    swap = again.steps("restore", "count_rows", "swap", "smoke_test", carry_over=True)
    again.run.conclude("restored")
    assert swap["outputs"] is not None
    assert replaced(admin, proven.database) != []
    assert not closed(admin, proven.database)
    assert beside(admin) == []
    assert proven.ask("SELECT body FROM notes ORDER BY id") == [("one",), (None,), ("drei",), ("since",)]
    assert files_left(proven, again) == []


def files_left(proven: StepRuns, restore: Restore) -> list[Path]:
    folder = proven.backups / restore.run.run_id
    return [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []


@pytest.fixture
def written(proven: StepRuns) -> StepRuns:
    """A row has come since the backup."""
    proven.execute("INSERT INTO notes (body) VALUES ('since')")
    return proven


@pytest.fixture
def slow(runs: StepRuns, admin: StepRuns) -> Iterator[StepRuns]:
    """A proven backup whose restore does not come to its end."""
    runs.execute(SLOW_CHECK)
    runs.up_to("verify_restore")
    runs.conclude("failed")
    runs.execute("INSERT INTO notes (body) VALUES ('since')")
    admin.execute("CREATE ROLE slow_down")
    try:
        yield runs
    finally:
        admin.execute("DROP ROLE IF EXISTS slow_down")
        drop_what_restores_left(admin, runs.database)


def test_in_the_middle_of_pg_restore(slow: StepRuns, admin: StepRuns) -> None:
    killed = Restore(slow)
    killed.steps("preflight")
    process = killed.run.start("restore")
    try:
        wait_for(lambda: admin.ask("SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))
        answer = Restore(slow).step("preflight")
        assert "Another run is in progress" in answer["msg"], "while it works"
    finally:
        kill(process)
    (left,) = beside(admin)
    assert admin.ask(f"SELECT FROM pg_stat_activity WHERE datname = '{left}'"), "pg_restore outlives it"
    answer = slow.another().step("preflight")
    assert "restore of 002) by " in answer["msg"], "a deploy does not come in between"
    assert not closed(admin, slow.database)
    # Its pg_restore is still at work in it when the next run drops it.
    again = Restore(slow)
    answer = again.step("preflight", take_over=killed.run.run_id)
    assert not answer.get("failed"), answer
    assert beside(admin) == []
    again.run.conclude("failed")
    admin.execute("DROP ROLE slow_down")
    finish_after(slow, admin)


def finish_after(slow: StepRuns, admin: StepRuns) -> None:
    again = Restore(slow)
    again.steps("preflight", "restore", "count_rows", "swap", "smoke_test")
    assert slow.ask("SELECT count(*) FROM notes") == [(3,)]
    assert beside(admin) == []


def waiting_program(folder: Path, bindir: str, name: str) -> str:
    """Client programs of which one says that it has begun, and then waits for ever."""
    folder.mkdir()
    for program in ("pg_dump", "pg_restore"):
        (folder / program).symlink_to(Path(bindir, program))
    (folder / name).unlink()
    (folder / name).write_text(
        f"#!/bin/sh\n[ \"$1\" = --version ] && exec '{bindir}/{name}' --version\n"
        f"echo $$ > '{folder}/begun.new'; mv '{folder}/begun.new' '{folder}/begun'; exec sleep 600\n",
        encoding="utf-8",
    )
    (folder / name).chmod(0o755)
    return str(folder)


def test_while_the_ledger_is_copied(written: StepRuns, admin: StepRuns, tmp_path: Path) -> None:
    killed = Restore(written)
    killed.steps("preflight")
    bindir = waiting_program(tmp_path / "bin", written.server.bindir, "pg_dump")
    process = killed.run.start("restore", pg_bindir=bindir)
    begun = Path(bindir, "begun")
    try:
        wait_for(begun.exists)
    finally:
        kill(process)
        subprocess.run(["kill", begun.read_text().strip()], check=True)
    assert files_left(written, killed) != [], "a copy of the ledger that was begun"
    assert beside(admin) != []
    finish(written, admin, killed)


def test_between_restore_and_swap(written: StepRuns, admin: StepRuns) -> None:
    killed = Restore(written)
    killed.steps("preflight", "restore")
    finish(written, admin, killed)


def test_after_the_swap_the_next_command_of_any_kind_says_what_production_is(
    written: StepRuns, admin: StepRuns
) -> None:
    killed = Restore(written)
    killed.steps("preflight", "restore", "count_rows", "swap")
    (was,) = replaced(admin, written.database)
    seen = written.another("status").must("status")["outputs"]["unfinished_run"]
    assert (seen["run_id"], seen["committed"]["replaced"]) == (killed.run.run_id, was)
    later = written.another().must("preflight", take_over=killed.run.run_id)
    found = later["outputs"]["interrupted_run"]
    assert (found["run_id"], found["replaced"]) == (killed.run.run_id, was)
    ((reason,),) = written.ask(f"SELECT reason FROM runbook.run WHERE run_id = '{killed.run.run_id}'")
    assert (
        f"production is the restored backup, and what it was before is in database {was}; its end" in reason
    )


def test_in_the_transaction_that_changes_the_names(written: StepRuns, admin: StepRuns) -> None:
    killed = Restore(written)
    name = killed.steps("preflight", "restore", "count_rows") and beside(admin)[0]
    with contextlib.ExitStack() as sessions:
        hold, late = (
            sessions.enter_context(contextlib.closing(written.server.connect(where)))
            for where in (name, "postgres")
        )
        with hold.cursor() as cursor:
            cursor.execute("LOCK TABLE notes IN SHARE MODE")
        process = killed.run.start("swap", carry_over=True)
        try:
            wait_for(
                lambda: admin.ask("SELECT FROM pg_locks WHERE NOT granted AND mode = 'RowExclusiveLock'")
            )
            # Now rows cannot be carried; let that go on, and stop before the names change.
            with late.cursor() as cursor:
                cursor.execute("LOCK TABLE pg_catalog.pg_shdescription IN SHARE MODE")
            hold.rollback()
            wait_for(
                lambda: admin.ask(
                    "SELECT FROM pg_locks WHERE NOT granted AND relation = 'pg_shdescription'::regclass"
                )
            )
        finally:
            kill(process)
    assert closed(admin, written.database)
    assert closed(admin, name)
    assert replaced(admin, written.database) == []
    answer = written.another().step("preflight")
    assert "Another run is in progress" in answer["msg"]
    assert f"ansible-playbook playbooks/restore.yml -e run_id={written.run_id}" in str(answer["warnings"])
    assert not closed(admin, written.database), "the application is let in by whatever command comes next"
    finish(written, admin, killed)
