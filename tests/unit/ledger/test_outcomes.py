# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""An outcome that the receipts of its run do not allow is named; one that they allow is not."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.outcomes import REPLACED, contradiction
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.receipts import make_receipt

IDENTITY = {"system_identifier": "7", "database": "shop", "database_oid": 5}


def receipt(step: str, migration: str | None = None, status: str = "ok", **outputs: Any) -> dict[str, Any]:
    return make_receipt("r", step, status, "", "", IDENTITY, "0", migration=migration, outputs=outputs)


OPENED = receipt("preflight", migrations=["002", "003"])
APPLIED = [OPENED, receipt("apply", "002"), receipt("apply", "003")]
NOT_APPLIED = [OPENED, receipt("apply", status="failed")]
TAKEN_BACK = [*APPLIED, receipt("emergency_rollback", "003"), receipt("emergency_rollback", "002")]
BY_HAND = [OPENED, receipt("emergency_rollback", "002"), receipt("emergency_rollback", "003")]
SWAPPED = [OPENED, receipt("restore"), receipt("swap")]
RESTORED_BESIDE = [OPENED, receipt("restore")]
ONLY_FILES = [receipt("preflight", migrations=[], files=["002"])]


@pytest.mark.parametrize(
    ("playbook", "outcome", "receipts"),
    [
        ("deploy", "deployed", APPLIED),
        ("deploy", "deployed", ONLY_FILES),
        ("deploy", "rolled_back", TAKEN_BACK),
        # Its controller died behind a rollback that had nothing to take back.
        ("deploy", "rolled_back", [*NOT_APPLIED, receipt("emergency_rollback")]),
        ("deploy", "restored", [*APPLIED, receipt("restore"), receipt("swap")]),
        ("deploy", "refused", [receipt("preflight", status="failed")]),
        ("deploy", "refused", []),
        ("deploy", "unchanged", NOT_APPLIED),
        ("deploy", "awaiting_approval", [OPENED]),
        ("deploy", "failed", APPLIED),
        ("deploy", "failed", []),
        ("emergency_rollback", "rolled_back", BY_HAND),
        ("emergency_rollback", "rolled_back", ONLY_FILES),
        ("emergency_rollback", "unchanged", [OPENED, receipt("emergency_rollback", status="failed")]),
        ("restore", "restored", SWAPPED),
        ("restore", "unchanged", RESTORED_BESIDE),
        ("status", "adopted", [receipt("adopt", "002")]),
        ("salvage", "salvage restored", [receipt("salvage_restore", "002")]),
        ("salvage", "salvage purged", [receipt("salvage_purge")]),
    ],
)
def test_what_its_receipts_allow_is_believed(
    playbook: str, outcome: str, receipts: list[dict[str, Any]]
) -> None:
    assert contradiction(playbook, outcome, "", receipts) is None


@pytest.mark.parametrize(
    ("playbook", "outcome", "receipts", "why"),
    [
        ("deploy", "deployed", NOT_APPLIED, "no receipt of it says that 002, 003 was applied"),
        (
            "deploy",
            "deployed",
            APPLIED[:2],
            "no receipt of it says that 003 was applied, and its receipts say that 002 was applied",
        ),
        (
            "deploy",
            "deployed",
            TAKEN_BACK,
            "no receipt of it says that 002, 003 was applied, and its receipts say that 002, 003 was rolled back",
        ),
        ("deploy", "deployed", [], "it has no receipts"),
        ("deploy", "rolled_back", APPLIED, "its receipts say that 002, 003 was applied and not taken back"),
        (
            "deploy",
            "rolled_back",
            TAKEN_BACK[:-1],
            "its receipts say that 002 was applied and not taken back",
        ),
        ("deploy", "rolled_back", NOT_APPLIED, "it has no receipt of a rollback"),
        ("deploy", "restored", APPLIED, "it has no receipt of a swap"),
        ("deploy", "refused", APPLIED, "its receipts say that 002, 003 was applied"),
        ("deploy", "unchanged", TAKEN_BACK, "its receipts say that 002, 003 was rolled back"),
        ("deploy", "awaiting_approval", APPLIED, "its receipts say that 002, 003 was applied"),
        ("deploy", "fine", APPLIED, "no run of deploy ends so"),
        ("deploy", None, APPLIED, "no run of deploy ends so"),
        ("emergency_rollback", "deployed", BY_HAND, "no run of emergency_rollback ends so"),
        (
            "emergency_rollback",
            "rolled_back",
            [OPENED],
            "no receipt of it says that 002, 003 was rolled back",
        ),
        ("emergency_rollback", "refused", BY_HAND, "its receipts say that 002, 003 was rolled back"),
        ("restore", "restored", RESTORED_BESIDE, "it has no receipt of a swap"),
        (
            "restore",
            "unchanged",
            SWAPPED,
            "its receipts say that the database was swapped for a restored one",
        ),
        ("status", "deployed", [receipt("adopt", "002")], "no run of status ends so"),
        ("status", "adopted", [], "it has no receipt of adopt"),
        ("salvage", "salvage purged", [receipt("salvage_restore")], "it has no receipt of salvage_purge"),
    ],
)
def test_what_they_do_not_allow_is_named(
    playbook: str, outcome: str | None, receipts: list[dict[str, Any]], why: str
) -> None:
    assert contradiction(playbook, outcome, "", receipts) == why


def test_in_the_database_that_was_replaced_the_receipt_of_the_swap_is_not() -> None:
    assert contradiction("restore", "restored", REPLACED, RESTORED_BESIDE) is None
    assert contradiction("restore", "restored", REPLACED, [OPENED]) == "it has no receipt of a swap"
