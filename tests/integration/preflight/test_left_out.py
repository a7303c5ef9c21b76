# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Pending migrations of which some are not wanted: the others go, and the rest is remembered until it is deployed."""

from __future__ import annotations

from ansible_collections.pgops.runbook.plugins.plugin_utils.report.status import status_report

from tests.integration.step_runs import StepRuns


def test_the_others_go_and_the_status_says_it_until_it_is_settled(runs: StepRuns) -> None:
    runs.write(
        migrations__003_bad="-- Requires: 001\nALTER TABLE notes ADD COLUMN bad nonsense;",
        rollback__003_bad_rollback="ALTER TABLE notes DROP COLUMN bad;",
        migrations__004_on_it="-- Requires: 003\nALTER TABLE notes ADD COLUMN more text;",
        rollback__004_on_it_rollback="ALTER TABLE notes DROP COLUMN more;",
        migrations__005_last="-- Requires: 001\nALTER TABLE notes ADD COLUMN last text;",
        rollback__005_last_rollback="ALTER TABLE notes DROP COLUMN last;",
    )
    run = runs.another("deploy", "pending")
    run.limits = {"until": "005", "skip": ["003"]}
    outputs = run.must("preflight")["outputs"]
    assert outputs["migrations"] == ["002", "005"]
    assert outputs["left_out"] == {"003": "003", "004": "003"}
    run.limits = {}
    run.migration = "005"
    run.conclude("refused")
    found = runs.must("status")["outputs"]["left_out"]
    assert found == {version: {"run_id": run.run_id, "skipped": "003"} for version in ("003", "004")}
    said = status_report(runs.must("status")["outputs"], "t")
    assert f"LEFT OUT of run {run.run_id}: 003, by -e skip=003" in said
    assert f"LEFT OUT of run {run.run_id}: 004, since it requires 003" in said
    runs.execute("INSERT INTO schema_migrations VALUES ('003'), ('004')")
    assert runs.must("status")["outputs"]["left_out"] == {}


def test_one_that_ends_before_leaves_the_later_ones_pending(runs: StepRuns) -> None:
    runs.write(migrations__003_tag="CREATE TABLE tag (id int);", rollback__003_tag_rollback="DROP TABLE tag;")
    run = runs.another("deploy", "pending")
    run.limits = {"until": "002", "skip": []}
    outputs = run.must("preflight")["outputs"]
    assert (outputs["migrations"], outputs["left_out"]) == (["002"], {})
