# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Steps that have nothing to do in a run."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.skipping import reason_to_skip

from tests.unit.record.records import failed, ok, record, run_until


def test_a_step_of_a_run_that_has_selected_a_migration_works(tmp_path: Path) -> None:
    assert reason_to_skip("backup", run_until(record(tmp_path), "backup"), automatic=False) is None


def test_before_preflight_nothing_is_skipped(tmp_path: Path) -> None:
    assert reason_to_skip("preflight", record(tmp_path), automatic=False) is None


@pytest.mark.parametrize("step", ["backup", "apply", "smoke_test"])
def test_where_nothing_is_pending_nothing_is_done(tmp_path: Path, step: str) -> None:
    made = record(tmp_path)
    made.end("preflight", {**ok(), "outputs": {"migrations": []}})
    assert reason_to_skip(step, made, automatic=False) == "nothing is pending"
    assert reason_to_skip("files_check", made, automatic=False) == "nothing is applied in this run"


def test_what_has_committed_nothing_is_not_rolled_back(tmp_path: Path) -> None:
    made = run_until(record(tmp_path), "apply")
    assert "committed nothing" in str(reason_to_skip("emergency_rollback", made, automatic=True))
    made.end("apply", ok("009"))
    made.end("verify", failed())
    assert reason_to_skip("emergency_rollback", made, automatic=True) is None


def test_after_a_rollback_that_is_done_and_could_not_report_nothing_is_restored(tmp_path: Path) -> None:
    made = run_until(record(tmp_path), "verify")
    made.end("verify", failed())
    assert reason_to_skip("restore", made, automatic=True) is None
    made.end("emergency_rollback", {**failed("it died"), "details": {"done": True}})
    assert (
        reason_to_skip("restore", made, automatic=True) == "the rollback is done: there is nothing to restore"
    )


def test_files_are_renamed_only_where_a_migration_changes_their_paths(tmp_path: Path) -> None:
    made = run_until(record(tmp_path), "files_rename")
    assert "no migration of this run changes paths" in str(
        reason_to_skip("files_rename", made, automatic=False)
    )
