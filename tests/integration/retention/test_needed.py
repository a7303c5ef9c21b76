# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A backup that somebody may need stays, and the reason is said."""

from __future__ import annotations

from tests.integration.retention.test_cleanup import backed_up, cleanup, gone, there
from tests.integration.step_runs import StepRuns


def reasons(runs: StepRuns) -> dict[str, str]:
    answer = cleanup(runs, backup_keep={"count": 0}, _ansible_check_mode=True)
    return {one["run_id"]: one["why"] for one in answer["outputs"]["kept"]}


def test_that_of_a_run_that_has_not_ended(proven: StepRuns) -> None:
    open_run = proven.another()
    open_run.up_to("backup")
    answer = cleanup(proven, backup_keep={"count": 0})
    assert (gone(answer), there(proven)) == ([], [proven.run_id, open_run.run_id])
    assert answer["outputs"]["kept"] == [{"run_id": open_run.run_id, "why": "it has not ended"}]
    open_run.conclude("failed")
    assert gone(cleanup(proven, backup_keep={"count": 0})) == [open_run.run_id]


def test_that_which_a_restore_is_putting_back(proven: StepRuns) -> None:
    backed_up(proven, "verify_restore")
    restore = proven.another("restore")
    restore.must("preflight", source_run_id=proven.run_id)
    assert reasons(proven) == {proven.run_id: f"run {restore.run_id} is putting it back"}
    restore.conclude("failed")
    assert gone(cleanup(proven, backup_keep={"count": 0})) == [proven.run_id]


def test_those_of_migrations_half_done_of_files_behind_and_of_rows_that_wait(proven: StepRuns) -> None:
    a, b, c = (backed_up(proven) for _ in range(3))
    proven.execute(
        f"INSERT INTO runbook.journal (run_id, migration, direction, catalog_before)"
        f" VALUES ('{a.run_id}', '002', 'apply', '')",
        f"INSERT INTO runbook.path_change_set (run_id, migration, direction, path_column, changes)"
        f" VALUES ('{b.run_id}', '002', 'deploy', '{{a,b,c}}', 1),"
        f" ('{proven.run_id}', '002', 'rehearsed', '{{a,b,c}}', 1)",
        f"INSERT INTO runbook_salvage.manifest (run_id, migration, kind, columns, key_columns, facts)"
        f" VALUES ('{c.run_id}', '002', 'changed rows', '{{}}', '{{}}', '{{}}'),"
        f" ('{proven.run_id}', '002', 'changed rows', '{{}}', '{{}}', '{{}}')",
        "INSERT INTO runbook_salvage.kept_row (item, key, occurrence, kept) VALUES (1, '(1)', 1, '(1,a)')",
    )
    assert reasons(proven) == {
        a.run_id: "migration 002 is half done",
        b.run_id: "files on disk have not followed migration 002",
        c.run_id: "rows that its rollback of 002 has kept wait in the salvage",
    }
    outputs = cleanup(proven, backup_keep={"count": 0}, _ansible_check_mode=True)["outputs"]
    assert outputs["waiting"] == ["002"]
    proven.execute(
        "UPDATE runbook.journal SET closed = now()",
        "UPDATE runbook.path_change_set SET closed = now()",
        "UPDATE runbook_salvage.manifest SET returned = now()",
    )
    assert gone(cleanup(proven, backup_keep={"count": 0})) == [a.run_id, b.run_id, c.run_id]
