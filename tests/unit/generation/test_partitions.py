# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Into which partition a row is made to fall."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.generation.expressions import (
    Column,
    Compared,
    Constant,
    Listed,
)
from ansible_collections.pgops.runbook.plugins.module_utils.generation.partitions import Bound, conditions

A, B = Column("a"), Column("b")


@pytest.mark.parametrize(
    ("bound", "found"),
    [
        ("FOR VALUES IN ('x', 'it''s, (y)', NULL)",
         [Listed("=", False, A, (Constant("x"), Constant("it's, (y)")))]),
        ("FOR VALUES IN (NULL)", []),
        ("FOR VALUES FROM (1, 'x') TO (9, MINVALUE)",
         [Compared(">=", A, Constant("1")), Compared("<", A, Constant("9"))]),
        ("FOR VALUES FROM (1, 'x') TO (1, 'y')",
         [Compared("=", A, Constant("1")), Compared(">=", B, Constant("x")), Compared("<", B, Constant("y"))]),
        ("FOR VALUES FROM (MINVALUE, MINVALUE) TO ('-5', 0)", [Compared("<", A, Constant("-5"))]),
        ("FOR VALUES FROM ('2024-01-01 00:00:00+00', 1) TO (MAXVALUE, MAXVALUE)",
         [Compared(">=", A, Constant("2024-01-01 00:00:00+00"))]),
        ("FOR VALUES WITH (modulus 4, remainder 1)", []),
        ("DEFAULT", []),
    ],
)  # fmt: skip
def test_a_bound_is_read(bound: str, found: list) -> None:
    assert conditions([Bound(("a", "b"), bound)]) == found


def test_levels_add_up_and_expressions_are_left_to_chance() -> None:
    assert conditions([Bound((), "FOR VALUES IN (1)"), Bound(("b",), "FOR VALUES IN (2)")]) == [
        Listed("=", False, B, (Constant("2"),))
    ]
