# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the proof of a backup decides without a server: sequences that moved meanwhile, and names of copies."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.backup.copy import copy_name
from ansible_collections.pgops.runbook.plugins.module_utils.backup.proof import sequences_outside


@pytest.mark.parametrize("value", [10, 12, 15])
def test_a_sequence_may_have_any_value_it_had_while_the_dump_was_made(value: int) -> None:
    assert sequences_outside({"s": 10}, {"s": 15}, {"s": value}) == {}


@pytest.mark.parametrize("value", [9, 16, None])
def test_a_sequence_outside_of_them_is_named(value: int | None) -> None:
    restored = {} if value is None else {"s": value}
    assert sequences_outside({"s": 10}, {"s": 15}, restored) == {"s": [10, 15, value]}


def test_a_descending_sequence() -> None:
    assert sequences_outside({"s": -1}, {"s": -5}, {"s": -3}) == {}
    assert sequences_outside({"s": -1}, {"s": -5}, {"s": -6}) == {"s": [-5, -1, -6]}


def test_a_sequence_that_was_dropped_meanwhile_must_have_its_first_value() -> None:
    assert sequences_outside({"s": 3}, {}, {"s": 3}) == {}
    assert sequences_outside({"s": 3}, {}, {"s": 4}) == {"s": [3, 3, 4]}


def test_a_sequence_made_meanwhile_is_not_asked_for() -> None:
    assert sequences_outside({}, {"new": 1}, {}) == {}


def test_copies_have_names_of_their_own_that_fit() -> None:
    names = {
        copy_name(run_id) for run_id in ("20260101T000000Z-a-0001", "20260101T000000Z-a-0002", "ü" * 200)
    }
    assert len(names) == 3
    for name in names:
        assert name.startswith("runbook_copy_")
        assert len(name.encode()) <= 63
        assert name.isidentifier(), "needs no quotes"
    assert copy_name("x") == copy_name("x")
