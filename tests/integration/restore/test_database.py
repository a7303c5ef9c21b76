# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The restored database beside the live one: made with the live ledger, dropped by its run alone, never half made."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.maintenance import SWAP_MARK
from ansible_collections.pgops.runbook.plugins.module_utils.restore.database import restore_beside
from ansible_collections.pgops.runbook.plugins.module_utils.restore.restored import (
    RestoredDatabase,
    drop_restored,
)

from tests.integration.restore_runs import Restore, beside
from tests.integration.step_runs import StepRuns, target

CHAIN = "SELECT position, digest, document FROM runbook.receipt ORDER BY 1"


@pytest.fixture
def opened(proven: StepRuns) -> Restore:
    """A restore that was opened."""
    restore = Restore(proven)
    restore.steps("preflight")
    return restore


def restore(opened: Restore, **options: object) -> dict:
    """What the step answers that only restores beside the live database."""
    options = {"jobs": 2, **options}
    return opened.run.work(
        "restore", lambda step: restore_beside(step, step.outputs_of("preflight")["source"]), **options
    )


def ledger_dump(opened: Restore) -> Path:
    return opened.run.backups / opened.run.run_id / "runbook.dump"


# Made --------------------------------------------------------------------------------------------------


def test_it_has_the_rows_of_the_backup_and_the_ledger_of_today(proven: StepRuns, opened: Restore) -> None:
    proven.execute("INSERT INTO notes (body) VALUES ('since')")
    answer = restore(opened)
    assert not answer.get("failed"), answer
    made = StepRuns(proven.server, answer["outputs"]["restored"], proven.folder)
    assert made.ask("SELECT body FROM notes ORDER BY id") == [("one",), (None,), ("drei",)]
    live = proven.ask(CHAIN)
    assert made.ask(CHAIN) == live[:-1], "all but the receipt of this very step, which came after it"
    assert 0 < answer["outputs"]["receipts_in_backup"] < len(live) - 1
    assert made.ask("SELECT oid::bigint FROM pg_database WHERE datname = current_database()") == [
        (answer["outputs"]["database_oid"],)
    ]
    assert not ledger_dump(opened).exists()


def test_one_that_fails_on_the_way_leaves_neither_a_database_nor_a_file(
    proven: StepRuns, opened: Restore, admin: StepRuns, tmp_path: Path
) -> None:
    """pg_dump, which is needed for the ledger alone, writes something and fails."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for program in Path(proven.server.bindir).iterdir():
        if program.name != "pg_dump":
            (programs / program.name).symlink_to(program)
    (programs / "pg_dump").write_text(
        '#!/bin/sh\nfor one; do case "$one" in --file=*) echo half > "${one#--file=}";; esac; done\n'
        "echo no room >&2; exit 1\n"
    )
    (programs / "pg_dump").chmod(0o755)
    answer = restore(opened, pg_bindir=str(programs))
    assert answer["outcome"] == "failed", answer
    assert "no room" in answer["msg"]
    assert beside(admin) == []
    assert not ledger_dump(opened).exists()


def test_one_of_a_run_that_was_killed_is_made_anew(
    proven: StepRuns, opened: Restore, admin: StepRuns
) -> None:
    first = restore(opened)["outputs"]
    second = restore(opened)["outputs"]
    assert first["restored"] == second["restored"]
    assert first["database_oid"] != second["database_oid"]
    assert beside(admin) == [first["restored"]]


# Dropped -----------------------------------------------------------------------------------------------


def restored_database(runs: StepRuns, run_id: str = "a-run") -> RestoredDatabase:
    return RestoredDatabase(target(runs.server, runs.database), run_id)


def test_the_run_that_made_it_is_known_by_its_name(runs: StepRuns) -> None:
    assert (
        restored_database(runs).name == restored_database(runs).name != restored_database(runs, "other").name
    )
    assert restored_database(runs, "x" * 200).name.startswith("runbook_restore_")
    assert len(restored_database(runs, "x" * 200).name) <= 63


def test_what_a_run_left_is_dropped_with_the_copy_of_the_ledger(runs: StepRuns, admin: StepRuns) -> None:
    restored = restored_database(runs)
    restored.create()
    dump = runs.backups / "a-run/runbook.dump"
    dump.parent.mkdir(parents=True)
    dump.touch()
    live = target(runs.server, runs.database)
    assert drop_restored(live, "another-run", str(runs.backups)) is False
    assert beside(admin) == [restored.name]
    assert drop_restored(live, "a-run", str(runs.backups)) is True
    assert beside(admin) == []
    assert not dump.exists()
    assert drop_restored(live, "a-run", str(runs.backups)) is False


def test_a_copy_of_the_ledger_that_cannot_be_removed_keeps_nobody_from_a_rollback(
    runs: StepRuns, admin: StepRuns
) -> None:
    restored_database(runs).create()
    (runs.backups / "a-run/runbook.dump").mkdir(parents=True)
    assert drop_restored(target(runs.server, runs.database), "a-run", str(runs.backups)) is True
    assert beside(admin) == []


@pytest.mark.parametrize(
    ("comment", "ours"), [(SWAP_MARK + "{}", True), ("of somebody else", False), (f"not {SWAP_MARK}", False)]
)
def test_one_that_was_marked_for_the_swap_is_dropped_too_and_no_other(
    runs: StepRuns, admin: StepRuns, comment: str, ours: bool
) -> None:
    """Swapped it would have another name."""
    restored = restored_database(runs)
    restored.create()
    admin.execute(f"COMMENT ON DATABASE {restored.name} IS '{comment}'")
    if ours:
        assert restored.drop() is True
    else:
        with pytest.raises(Refused, match=r"which this run did not make\. It was left alone"):
            restored.drop()
    assert beside(admin) == ([] if ours else [restored.name])
