# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which statements in turn are measured as one."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.execution.alike import (
    SHORT,
    add_timing,
    alike_in_turn,
)


def statements(*texts: str, kind: str = "InsertStmt") -> list[Any]:
    return [{"sql": text, "kind": kind, "line": line} for line, text in enumerate(texts, 1)]


def together(*texts: str, kind: str = "InsertStmt") -> list[list[int]]:
    return [[one["line"] for one in group] for group in alike_in_turn(statements(*texts, kind=kind))]


@pytest.mark.parametrize(
    "texts",
    [
        ("INSERT INTO t VALUES (1, 'a')", "INSERT INTO t VALUES (22, 'b''s')"),
        ("INSERT INTO t VALUES (1.5)", "INSERT INTO t VALUES (NULL)"),
        ("INSERT INTO t VALUES (TRUE)", "INSERT INTO t VALUES (false)"),
    ],
)
def test_those_that_differ_in_values_only(texts: tuple[str, ...]) -> None:
    assert together(*texts, *texts) == [[1, 2, 3, 4]]


@pytest.mark.parametrize(
    "texts",
    [
        ("INSERT INTO t VALUES (1)", "INSERT INTO u VALUES (1)"),
        ("INSERT INTO t1 VALUES (1)", "INSERT INTO t2 VALUES (1)"),
        ("INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (f(1))"),
        ('INSERT INTO "a 1" VALUES (1)', 'INSERT INTO "b 1" VALUES (1)'),
        (
            "INSERT INTO t VALUES (SET_CONFIG('a', '1', true))",
            "INSERT INTO t VALUES (SET_CONFIG('a', '2', true))",
        ),
        ("INSERT INTO t VALUES ('" + "a" * SHORT + "')", "INSERT INTO t VALUES ('" + "b" * SHORT + "')"),
    ],
)
def test_others_are_apart(texts: tuple[str, str]) -> None:
    assert together(*texts) == [[1], [2]]


def test_only_what_changes_rows_and_stands_in_turn_is_together() -> None:
    assert together("SELECT f(1)", "SELECT f(2)", kind="SelectStmt") == [[1], [2]]
    one, other = "DELETE FROM t WHERE id = 1", "DELETE FROM u"
    assert together(one, other, one, one, kind="DeleteStmt") == [[1], [2], [3, 4]]


def test_what_they_took_and_did_is_added() -> None:
    whole: Any = {
        "line": 1,
        "kind": "InsertStmt",
        "seconds": 0.5,
        "rows": 1,
        "wal_bytes": 10,
        "locks": [{"mode": "a"}],
    }
    add_timing(whole, {"line": 2, "seconds": 0.25, "rows": 2})
    add_timing(
        whole,
        {
            "line": 3,
            "seconds": 0.25,
            "rows": None,
            "wal_bytes": 5,
            "locks": [{"mode": "a"}, {"mode": "b"}],
            "rewritten": ["t"],
            "limits_lifted": ["lock_timeout = 0"],
        },
    )
    assert whole == {
        "line": 1,
        "kind": "InsertStmt",
        "seconds": 1.0,
        "rows": 3,
        "wal_bytes": 15,
        "locks": [{"mode": "a"}, {"mode": "b"}],
        "rewritten": ["t"],
        "limits_lifted": ["lock_timeout = 0"],
    }
