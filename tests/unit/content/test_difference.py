# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Differences of content fingerprints."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.content.difference import difference


def _content(large_objects: Any = None, sequences: Any = None, **tables: Any) -> dict[Any, Any]:
    facts = {
        f"public.{name}": {"rows": rows, "digest": text, "columns": list(columns), **more}
        for name, (rows, text, columns, more) in tables.items()
    }
    return {
        "tables": facts,
        "sequences": sequences or {"public.s": 1},
        "large_objects": large_objects or {"count": 0, "digest": ""},
    }


def _table(rows: int = 1, digest: str = "d", columns: str = "ab", **more: Any) -> tuple[Any, ...]:
    return rows, digest, columns, more


@pytest.mark.parametrize(
    ("before", "after", "problem", "rows"),
    [
        ({"t": _table()}, {}, "the table is missing", (1, None)),
        ({}, {"t": _table()}, "the table was not there before", (None, 1)),
        ({"t": _table(5)}, {"t": _table(3, "e")}, "2 rows fewer", (5, 3)),
        ({"t": _table(5)}, {"t": _table(6, "e")}, "1 rows more", (5, 6)),
        ({"t": _table(5)}, {"t": _table(5, "e")}, "as many rows, with other values", (5, 5)),
        ({"t": _table()}, {"t": _table(columns="a")}, "columns are missing: b", (1, 1)),
        ({"t": _table()}, {"t": _table(columns="abc")}, "columns were not there before: c", (1, 1)),
        ({"t": _table()}, {"t": _table(populated=False)}, "populated before, not now", (1, 1)),
    ],
)
def test_a_tables_problem(
    before: dict[str, Any], after: dict[str, Any], problem: str, rows: tuple[Any, ...]
) -> None:
    found = difference(_content(**before), _content(**after))
    assert found == [{"table": "public.t", "problem": problem, "rows_before": rows[0], "rows_after": rows[1]}]


def test_equal_content_has_no_difference_whatever_order_the_columns_have() -> None:
    assert difference(_content(t=_table(columns="ab")), _content(t=_table(columns="ba"))) == []


def test_sequences_only_when_asked_for() -> None:
    before, after = _content(sequences={"public.s": 1}), _content(sequences={"public.s": 2})
    assert difference(before, after) == []
    assert difference(before, after, sequences=True)[0]["problem"] == "next value was 1, is 2"


def test_large_objects() -> None:
    before = _content(large_objects={"count": 2, "digest": "x"})
    assert difference(before, _content(large_objects={"count": 1, "digest": "y"}))[0]["problem"] == "1 fewer"
    other = difference(before, _content(large_objects={"count": 2, "digest": "y"}))[0]
    assert (other["table"], other["problem"]) == ("large objects", "as many, with other content")
