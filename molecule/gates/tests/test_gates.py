# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A step runs on receipts of the ledger alone; whatever else is tried is refused, and says why."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tags", ["Step apply belongs to no run", "preflight"]),
        ("start_at_task", ["Step apply belongs to no run", "preflight"]),
        ("own_playbook", ["Step apply belongs to no run", "preflight"]),
        ("finished_run", ["stopped-by-tags has ended", "Start a new run"]),
        (
            "another_database",
            ["belongs to another database (rehearsed of server", "not to another of server"],
        ),
        ("edited_script", ["The apply script of migration 001 was edited after the preflight"]),
        ("too_old", ["minutes old", "backup_max_age_minutes"]),
        ("changed_receipt", ["The receipt of step rehearse was changed after it was written"]),
    ],
)
def test_refusal_says_why(name, words, record_of):
    run = record_of(name)
    assert (run["outcome"], run["failed_step"]) == ("refused", "apply")
    assert [step["step"] for step in run["steps"]][-1] == "apply"
    for word in words:
        assert word in run["reason"]


@pytest.mark.parametrize("database", ["rehearsed", "untouched", "another"])
def test_nothing_was_changed(database, snapshot_of):
    assert snapshot_of(f"{database}_refused") == snapshot_of(database)
    assert snapshot_of(database)["tables"] == {}


def test_run_that_was_stopped_by_its_tags_says_so(record_of):
    run = record_of("stopped_by_tags")
    assert run["outcome"] == "refused"
    assert [step["step"] for step in run["steps"]][-1] == "rehearse"
    assert "before its last step" in run["reason"]


def test_good_receipts_open_the_gate(query):
    """The refusals above are due to the receipts, not to the way the step was started."""
    assert query("rehearsed", "SELECT count(*), min(name) FROM members") == [(10, "Member 1")]
    assert query("rehearsed", "SELECT version FROM schema_migrations") == [("001",)]
    receipts = query(
        "rehearsed",
        "SELECT step, status, run_id FROM runbook.receipt WHERE step = 'apply' ORDER BY position DESC LIMIT 1",
    )
    assert receipts == [("apply", "ok", "abandoned-after-rehearsal")]
