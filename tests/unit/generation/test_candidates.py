# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rows that a table may take, and what is tried after one that it did not."""

from __future__ import annotations

from random import Random

from ansible_collections.pgops.runbook.plugins.module_utils.generation.candidates import DEFAULT, Candidates
from ansible_collections.pgops.runbook.plugins.module_utils.generation.filling import Filled
from ansible_collections.pgops.runbook.plugins.module_utils.generation.rings import hard_references
from ansible_collections.pgops.runbook.plugins.module_utils.generation.tables import (
    Column,
    ForeignKey,
    Rule,
    Table,
)
from ansible_collections.pgops.runbook.plugins.module_utils.generation.types import DataType

INTEGER, TEXT = DataType("int4"), DataType("text")


def column(name: str, of: DataType = TEXT, not_null: bool = False, default: str | None = None) -> Column:
    return Column(name, of, -1, not_null, default, False)


def table(*columns: Column, oid: int = 1, **facts: object) -> Table:
    return Table(oid, ("public", "t"), "public.t", False, False, list(columns), **facts)


def candidates(*columns: Column, **facts: object) -> Candidates:
    return Candidates(table(*columns, **facts), Random(1))


def test_every_other_row_has_the_default_and_numbers_come_from_their_sequence() -> None:
    made = candidates(
        column("id", INTEGER, True, "nextval('t_id_seq'::regclass)"),
        column("state", default="'new'::text"),
        column("at", DataType("timestamptz"), default="now()"),
    )
    rows = [made.row(place) for place in range(4)]
    assert {row["id"] for row in rows} == {DEFAULT}
    assert [row["state"] is DEFAULT for row in rows] == [False, True, False, True]
    assert DEFAULT not in [row["at"] for row in rows], "it would be another one in each run"


def test_the_first_row_has_all_values_and_others_some_of_none() -> None:
    made = candidates(column("a"), column("b", not_null=True))
    rows = [made.row(place) for place in range(100)]
    assert rows[0]["a"] is not None
    assert 0 < sum(row["a"] is None for row in rows) < 40
    assert None not in [row["b"] for row in rows]


def test_rows_refer_to_what_there_is_and_two_keys_agree() -> None:
    keys = [
        ForeignKey("one", ("tenant", "a"), 2, ("public", "p"), ("tenant", "id")),
        ForeignKey("two", ("tenant", "b"), 3, ("public", "q"), ("tenant", "id")),
    ]
    made = candidates(*(column(name, INTEGER, True) for name in ("tenant", "a", "b")), foreign_keys=keys)
    made.parents = {"one": [("1", "10"), ("2", "20")], "two": [("1", "11"), ("2", "21")]}
    rows = {(row["tenant"], row["a"], row["b"]) for row in map(made.row, range(30))}
    assert rows == {("1", "10", "11"), ("2", "20", "21")}


def test_after_a_failure_only_the_columns_to_blame_change() -> None:
    made = candidates(
        column("a", not_null=True), column("b", not_null=True), checks=[Rule("c", ("a",), "strange(a)")]
    )
    row = made.row(0)
    other = made.changed(row, ["a"], ["the constant"], 1, None)
    assert other["b"] == row["b"]
    tried = {made.changed(row, ["a"], ["the constant"], attempt, None)["a"] for attempt in range(1, 60)}
    assert "the constant" in tried


def test_from_a_row_that_was_taken_all_is_kept_but_what_must_differ() -> None:
    made = candidates(column("id", INTEGER, True), column("b", not_null=True), unique=[Rule("k", ("id",))])
    good = made.row(0)
    other = made.changed(made.row(1), ["b"], [], 3, good)
    assert other["b"] == good["b"]
    assert other["id"] != good["id"]


def test_a_reference_is_hard_where_none_of_its_columns_takes_null() -> None:
    soft = ForeignKey("soft", ("a", "b"), 1, ("public", "t"), ("x", "y"))
    hard = ForeignKey("hard", ("b",), 1, ("public", "t"), ("x",))
    elsewhere = ForeignKey("elsewhere", ("b",), 9, ("public", "u"), ("x",))
    one = table(column("a"), column("b", not_null=True), foreign_keys=[soft, hard, elsewhere])
    assert hard_references([one]) == [(1, hard)]


def test_what_became_of_a_table_has_no_reason_where_all_went() -> None:
    assert Filled("public.t", 20, 20).reason is None
