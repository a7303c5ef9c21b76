# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""However a migration fails, production is as it was, and the record says what happened."""

from __future__ import annotations

import pytest

REFUSED = ["006", "007", "008"]  # found on the copy
UNCHANGED = ["002", "003"]  # found in the transaction in production
ROLLED_BACK = ["004", "005"]  # found after COMMIT


@pytest.mark.parametrize("version", REFUSED + UNCHANGED + ROLLED_BACK)
def test_production_is_as_it_was(version, snapshot_of, present):
    before, after = snapshot_of("before"), present(f"shop_{version}")
    assert after["schema"] == before["schema"]
    assert after["tables"] == before["tables"]
    assert after["sequences"] == before["sequences"]


@pytest.mark.parametrize(
    ("version", "outcome", "failed_step", "reason"),
    [
        ("002", "unchanged", "apply", "only production says no"),
        ("003", "unchanged", "apply", "orders_of_production"),
        ("004", "rolled_back", "verify", "the refunds went missing after COMMIT"),
        ("005", "rolled_back", "smoke_test", "the parcels cannot be shipped"),
        ("006", "refused", "rehearse", "the copy says no"),
        ("007", "refused", "rehearse", "orders_unpaid"),
        ("008", "refused", "rehearse", "orders"),
    ],
)
def test_record_says_what_happened(version, outcome, failed_step, reason, record_of):
    run = record_of(version)
    assert (run["outcome"], run["failed_step"], run["migrations"]) == (outcome, failed_step, [version])
    assert reason in run["reason"]


def test_reason_names_script_and_line(record_of):
    assert "migrations/002_raises_in_production.sql line 5" in record_of("002")["reason"]
    assert "verify/004_verify_fails_after_commit.sql line 3" in record_of("004")["reason"]
    assert "smoke/shop.sql line 3" in record_of("005")["reason"]
    assert "migrations/006_fails_on_the_copy.sql line 4" in record_of("006")["reason"]


@pytest.mark.parametrize("version", ["007", "008"])
def test_rollback_that_does_not_give_everything_back_is_refused_by_its_item(version, record_of):
    assert "rollback tested on a copy" in record_of(version)["reason"]


def test_lost_row_is_counted(record_of):
    assert "20 rows before, 19 after" in record_of("008")["reason"]


@pytest.mark.parametrize("version", REFUSED)
def test_refused_run_did_not_reach_production(version, record_of, query):
    assert [step["step"] for step in record_of(version)["steps"]][-1] == "rehearse"
    assert query(f"shop_{version}", "SELECT count(*) FROM runbook.receipt WHERE step = 'apply'") == [(0,)]


@pytest.mark.parametrize("version", UNCHANGED)
def test_unchanged_run_has_no_receipt_of_success(version, query):
    receipts = query(
        f"shop_{version}",
        "SELECT step, status FROM runbook.receipt WHERE step IN ('apply', 'emergency_rollback')",
    )
    assert ("apply", "failed") in receipts
    assert ("apply", "ok") not in receipts


@pytest.mark.parametrize("version", ROLLED_BACK)
def test_committed_migration_was_taken_back_after_a_backup(version, query, record_of, scenario_state):
    receipts = query(
        f"shop_{version}", "SELECT step FROM runbook.receipt WHERE status = 'ok' ORDER BY position"
    )
    steps = [step for (step,) in receipts]
    assert steps.index("apply") < steps.index("emergency_backup") < steps.index("emergency_rollback")
    run = record_of(version)
    assert run["steps"][-1]["step"] == "emergency_rollback"
    assert run["steps"][-1]["migrations"] == [version]
    assert (scenario_state / "backups" / run["run_id"] / "emergency_backup" / "manifest.json").is_file()
