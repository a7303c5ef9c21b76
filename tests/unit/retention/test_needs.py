# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs whose migration is in place and was never tested to the end."""

from __future__ import annotations

from ansible_collections.pgops.runbook.plugins.module_utils.retention.needs import untested_runs


def receipt(run_id: str, step: str, migration: str | None = None, status: str = "ok", **outputs: int) -> dict:
    return {"run_id": run_id, "step": step, "migration": migration, "status": status, "outputs": outputs}


def applied(run_id: str, *after: dict) -> list[dict]:
    return [receipt(run_id, "backup"), receipt(run_id, "apply", "002"), *after]


def test_one_that_was_tested_is_none() -> None:
    assert untested_runs(applied("a", receipt("a", "smoke_test"))) == {}


def test_one_that_was_stopped_before_its_tests_or_failed_in_them() -> None:
    assert untested_runs(applied("a")) == {"a": "002"}
    assert untested_runs(applied("a", receipt("a", "smoke_test", status="failed"))) == {"a": "002"}


def test_the_tests_of_another_run_are_not_its_own() -> None:
    assert untested_runs(applied("a", receipt("b", "smoke_test"))) == {"a": "002"}


def test_one_that_was_taken_back_is_none() -> None:
    assert untested_runs(applied("a", receipt("b", "emergency_rollback", "002"))) == {}
    failed = receipt("b", "emergency_rollback", "002", status="failed")
    assert untested_runs(applied("a", failed)) == {"a": "002"}


def test_one_that_a_restore_has_undone_is_none() -> None:
    assert untested_runs(applied("a", receipt("b", "swap", receipts_in_backup=1))) == {}


def test_nor_one_that_did_not_apply() -> None:
    assert untested_runs([receipt("a", "apply", "002", status="failed")]) == {}
