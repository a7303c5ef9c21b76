# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Each pitfall in docs/pitfalls.md names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
DOCUMENT = PROJECT / "docs" / "pitfalls.md"
REFERENCE = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def rows() -> list[str]:
    """The lines of the tables, without their heads."""
    lines = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    return [line for line in lines if line not in ("| pitfall | test |", "| --- | --- |")]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.split("|")[1].strip()[:60])
def test_each_pitfall_names_a_test_and_no_other_words(row: Any) -> None:
    _, _, tests, _ = row.split("|")
    assert REFERENCE.sub("", tests).strip(", ") == ""
    assert REFERENCE.search(tests)


@pytest.mark.parametrize(("file", "name"), REFERENCE.findall(DOCUMENT.read_text(encoding="utf-8")))
def test_the_tests_exist(file: Any, name: Any) -> None:
    tree = ast.parse((PROJECT / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
