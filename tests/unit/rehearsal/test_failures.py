# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""All that failed in a rehearsal is one refusal, which names each."""

from __future__ import annotations

from typing import Any

from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.rehearsal.failures import TOLD, refusal_of_all

ROWS = {"rows": 3, "tables": {"public.a": 3}, "more": 0}
PROVEN: dict[str, Any] = {"001": {"rows_in": ROWS}}


def failed(count: int) -> dict[str, Refused]:
    return {f"01{n}": Refused("statement_failed", f"why {n}.", migration=f"01{n}") for n in range(count)}


def test_one_keeps_its_code_its_sentence_and_its_details() -> None:
    refusal = refusal_of_all(failed(1), {}, PROVEN)
    assert (refusal.code, refusal.reason) == ("statement_failed", "why 0.")
    assert refusal.details == {
        "migration": "010",
        "failures": [{"migration": "010", "reason_code": "statement_failed", "reason": "why 0."}],
        "untried": {},
        "proven_on": {"001": ROWS},
    }
    assert (
        refusal_of_all(failed(1), {"020": ["010"]}, {}).reason == "why 0. Not tried: 020 (it requires 010)."
    )


def test_of_several_all_are_named_and_of_the_first_it_is_said_why() -> None:
    refusal = refusal_of_all(failed(TOLD + 2), {"020": ["010", "011"]}, PROVEN)
    assert refusal.code == "rehearsal_failed_for_several"
    assert refusal.reason == (
        "7 of 9 migrations fail the rehearsal: 010, 011, 012, 013, 014, 015, 016. 010: why 0; 011: why 1; 012: why 2;"
        " 013: why 3; 014: why 4; and 2 more. Not tried: 020 (it requires 010, 011)."
    )
    failures: Any = refusal.details["failures"]
    assert failures[-1]["reason"] == "why 6."
