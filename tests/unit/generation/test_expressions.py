# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is understood of checks, as PostgreSQL writes them."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.generation.expressions import (
    AllOf,
    AnyOf,
    Call,
    Column,
    Compared,
    Constant,
    Listed,
    Not,
    Nothing,
    Unknown,
    constants_in,
    understood,
)

A, B = Column("a"), Column("b")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("(a > 0)", Compared(">", A, Constant("0"))),
        ("(a > (- 1))", Compared(">", A, Constant("-1"))),
        ("(a > '-1'::integer)", Compared(">", A, Constant("-1"))),
        ("((a >= (0)::numeric) AND (a <= 9.5))", AllOf((
            Compared(">=", A, Constant("0")), Compared("<=", A, Constant("9.5"))))),
        ("((a IS NULL) OR (b IS NOT NULL))", AnyOf((Nothing(A, True), Nothing(B, False)))),
        ("(NOT a)", Not(A)),
        ("(a < b)", Compared("<", A, B)),
        ("((a)::text = ANY ((ARRAY['x'::character varying, 'y'::character varying])::text[]))",
         Listed("=", False, A, (Constant("x"), Constant("y")))),
        ("(a <> ALL (ARRAY[1, 2]))", Listed("<>", True, A, (Constant("1"), Constant("2")))),
        ("(a = ANY ('{x,y}'::text[]))", Listed("=", False, A, (Constant("x"), Constant("y")))),
        ("(length((a)::text) < 5)", Compared("<", Call("length", (A,)), Constant("5"))),
        ("(public.mine(a, 1) = 2)", Compared("=", Call("mine", (A, Constant("1"))), Constant("2"))),
        ("(a ~ '^it''s$'::text)", Compared("~", A, Constant("^it's$"))),
        (r"(a ~ E'^\\d+$'::text)", Compared("~", A, Constant(r"^\d+$"))),
        ('("AND ""x" = 1)', Compared("=", Column('AND "x'), Constant("1"))),
        ("(a = CASE WHEN b THEN 1 ELSE 2 END)", Unknown()),
        ("(a IS DISTINCT FROM b)", Unknown()),
        ("((a OPERATOR(public.=) b) AND (a > 1))", AllOf((Unknown(), Compared(">", A, Constant("1"))))),
        ("true", Constant("true")),
        ("(a = NULL::text)", Compared("=", A, Constant(None))),
        ("", Unknown()),
        ("((a > 1)", Unknown()),
        ("a > 1)", Unknown()),
        ("(a > 1]", Unknown()),
    ],
)  # fmt: skip
def test_what_is_understood(text: str, tree: object) -> None:
    assert understood(text) == tree


def test_constants_are_found_in_what_is_not_understood() -> None:
    assert constants_in("(strange(a, 'x''y'::text) IS DISTINCT FROM 12)") == ["x'y", "12"]
