# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""On how many rows a rollback was rehearsed."""

from __future__ import annotations

from ansible_collections.pgops.runbook.plugins.module_utils.generation.evidence import RowsSeen, rows_seen


def test_the_most_that_were_there_count() -> None:
    proof = {
        "rows_compared": 9,
        "rows_in": {"rows": 2, "tables": {"a": 2}, "more": 0},
        "rows_over": {"rows": 3, "tables": {"a": 3}, "more": 0},
        "generated_rows": {"compared": {"rows": 20, "tables": {"a": 20}, "more": 0}, "over": None},
    }
    assert rows_seen(proof) == RowsSeen(20, {"a": 20})
    assert rows_seen({**proof, "generated_rows": None}) == RowsSeen(3, {"a": 3})


def test_the_record_of_versions_does_not_count() -> None:
    assert rows_seen({"rows_compared": 1, "rows_in": {"rows": 0, "tables": {}, "more": 0}}) == RowsSeen(0, {})


def test_a_receipt_of_an_older_release_has_a_number() -> None:
    assert rows_seen({"rows_compared": 9}) == RowsSeen(9, {})
    assert rows_seen({}) == RowsSeen(0, {})
