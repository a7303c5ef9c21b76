# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backups go as backup_keep says, the ledger says that they went, and the newest proven one stays."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.ledger import RUN_LOCK
from ansible_collections.pgops.runbook.plugins.module_utils.retention import cleanup as cleanup_module
from ansible_collections.pgops.runbook.plugins.module_utils.retention.cleanup import clean_up
from ansible_collections.pgops.runbook.plugins.module_utils.step import waiting
from ansible_collections.pgops.runbook.plugins.module_utils.step.step import Step

from tests.integration.step_runs import StepRuns


def cleanup(runs: StepRuns, **options: Any) -> dict[str, Any]:
    return runs.another("cleanup").must("cleanup", **options)


def gone(answer: dict[str, Any]) -> list[str]:
    return sorted(one["run_id"] for one in answer["outputs"]["removed"])


def there(runs: StepRuns) -> list[str]:
    return sorted(path.name for path in runs.backups.iterdir())


def backed_up(runs: StepRuns, last: str = "backup") -> StepRuns:
    """Another run in the same database, which has ended after this step."""
    made = runs.another()
    made.up_to(last)
    made.conclude("failed")
    return made


def notes(runs: StepRuns) -> dict[str, bool]:
    return dict(runs.ask("SELECT run_id, backup_removed IS NOT NULL FROM runbook.run"))


def test_what_goes_is_named_noted_and_never_restored(proven: StepRuns) -> None:
    newer = backed_up(proven, "verify_restore")
    both = [proven.run_id, newer.run_id]
    would = cleanup(proven, backup_keep={"count": 1}, _ansible_check_mode=True)
    assert (would["changed"], gone(would), there(proven)) == (True, [proven.run_id], both)
    assert set(notes(proven).values()) == {False}
    answer = cleanup(proven, backup_keep={"count": 1})
    (one,) = answer["outputs"]["removed"]
    assert (answer["changed"], one["run_id"], one["proven"], one["bytes"] > 1000) == (
        True,
        proven.run_id,
        True,
        True,
    )
    assert there(proven) == [newer.run_id]
    assert notes(proven) == {proven.run_id: True, newer.run_id: False}
    again = cleanup(proven, backup_keep={"count": 1})
    assert (again["changed"], gone(again), again["outputs"]["warnings"]) == (False, [], [])
    restore = proven.another("restore")
    refusal = restore.step("preflight", source_run_id=proven.run_id)
    assert refusal["reason_code"] == "backup_missing"
    assert "because backup_keep no longer kept it. Nothing was changed." in refusal["msg"]
    assert refusal["msg"].endswith(f"newest first: {newer.run_id}.")


def test_the_newest_proven_backup_stays_whatever_it_says(proven: StepRuns) -> None:
    unproven = backed_up(proven)
    answer = cleanup(proven, backup_keep={"count": 0, "days": 0})
    assert (gone(answer), there(proven)) == ([unproven.run_id], [proven.run_id])


def test_a_proven_backup_of_which_a_file_is_missing_is_not_the_one_that_has_to_stay(proven: StepRuns) -> None:
    newer = backed_up(proven, "verify_restore")
    next((newer.backups / newer.run_id / "backup" / "dump").glob("*.dat.gz")).unlink()
    answer = cleanup(proven, backup_keep={"count": 0})
    assert (gone(answer), there(proven)) == ([newer.run_id], [proven.run_id])


def test_without_a_setting_nothing_goes(proven: StepRuns) -> None:
    backed_up(proven)
    (proven.backups / proven.run_id).rename(proven.backups / f".removed-{proven.run_id}")
    before = there(proven)
    answer = cleanup(proven)
    assert (answer["changed"], gone(answer), there(proven)) == (False, [], before)
    assert notes(proven)[proven.run_id] is False


def test_a_setting_that_is_none_is_refused_before_anything_goes(proven: StepRuns) -> None:
    backed_up(proven)
    before = there(proven)
    for keep in ({"count": -1}, {"days": -1, "count": 0}):
        answer = proven.another("cleanup").step("cleanup", backup_keep=keep)
        assert answer["reason_code"] == "setting_invalid"
    assert proven.another("cleanup").step("cleanup", backup_keep={"cuont": 1})["failed"]
    assert proven.another("cleanup").step("cleanup", artifacts_keep={"count": -1})["failed"]
    assert there(proven) == before


def test_a_database_without_ledger_and_a_backup_dir_that_is_not_there(runs: StepRuns) -> None:
    answer = cleanup(runs, backup_keep={"count": 1}, backup_dir=str(runs.folder / "nowhere"))
    assert (answer["changed"], gone(answer)) == (False, [])
    assert runs.ask("SELECT to_regnamespace('runbook') IS NULL") == [(True,)]


def test_beside_a_step_at_work_nothing_goes(proven: StepRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LOCK_WAIT_SECONDS", 0)
    backed_up(proven)
    before = there(proven)
    with closing(proven.server.connect(proven.database)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", (RUN_LOCK,))
        answer = proven.another("cleanup").step("cleanup", backup_keep={"count": 0})
    assert (answer["reason_code"], there(proven)) == ("another_run_in_progress", before)


def test_nobody_waits_until_its_files_are_gone(proven: StepRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is set aside is removed without the lock, so that a rollback may begin."""
    monkeypatch.setattr(waiting, "LOCK_WAIT_SECONDS", 0)
    unproven = backed_up(proven)
    others = proven.another("cleanup")

    def work(step: Step) -> dict[str, Any]:
        monkeypatch.setattr(cleanup_module, "remove_folder", lambda *_: others.must("cleanup"))
        return clean_up(step, {"count": 0})

    answer = proven.another("cleanup").work("cleanup", work)
    assert gone(answer) == [unproven.run_id]
