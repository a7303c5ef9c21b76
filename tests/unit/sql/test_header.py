# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a script states about itself at its top: what is read, what is refused, and where it stands."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.header import (
    Header,
    header_lines,
    parse_header,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.source import SqlScriptError


def test_header_facts_are_read_in_any_case_and_kind_of_comment() -> None:
    text = """\ufeff
-- ====
-- Migration: 009_text_metadata.sql
-- description: Adds five columns,
--              and a view.
-- prose about it
-- RISK LEVEL: low
/* * Data Loss: PARTIAL (the five columns)
   * Requires: 001, 003 update_names,
   *           005
   * Transaction: None */
BEGIN;
-- Risk Level: nonsense, but below the first statement
"""
    assert parse_header(text) == Header(
        description="Adds five columns, and a view.",
        risk_level="LOW",
        data_loss="PARTIAL",
        requires=("001", "003", "update_names", "005"),
        transaction="none",
        present=True,
    )
    assert header_lines(text)["requires"] == (9, 6)


def test_by_what_another_tool_knows_the_migration_is_read_as_written() -> None:
    assert parse_header("-- recorded as: polls 0002_Votes \nSELECT 1").recorded_as == "polls 0002_Votes"
    assert parse_header("-- Recorded as:").recorded_as is None


def test_what_a_person_still_has_to_write_is_read() -> None:
    assert parse_header("-- Unfinished: write it; at once\nSELECT 1").unfinished == "write it; at once"
    assert parse_header("-- Unfinished:").unfinished == "it says no more"
    assert parse_header("SELECT 1; -- Unfinished: x").unfinished is None


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("Files: rename files.filepath", ("files", "filepath")),
        ("files: RENAME Public.Files.Path (of the songs)", ("public", "files", "path")),
        ('Files: rename "My.Files"."the ""path"""', ("My.Files", 'the "path"')),
        ("Files: a.sql and b.sql", None),
        ("Files: renames nothing.here", None),
    ],
)
def test_the_column_whose_paths_change_is_read(line: str, names: tuple[str, ...] | None) -> None:
    assert parse_header(f"-- {line}\nSELECT 1").files == names


def test_no_header_declares_nothing_and_none_declares_no_requirement() -> None:
    assert parse_header("-- just words: really\nSELECT 1; -- Requires: 001") == Header()
    assert parse_header("-- Requires: none").requires == ()
    assert parse_header("-- Requires: 001\n--     for its table files").requires == ("001",)


@pytest.mark.parametrize(
    "line",
    [
        "Risk Level: SOMETIMES",
        "Risk Level: [LOW|MEDIUM|HIGH|CRITICAL]",
        "Risk Level: LOW|MEDIUM",
        "Risk Level: LOW | MEDIUM | HIGH | CRITICAL",
        "Data Loss: NONE | PARTIAL | COMPLETE",
        "Data Loss: NONE / PARTIAL",
        "Data Loss: LOTS",
        "Data Loss:",
        "Transaction: maybe",
        "Requires:",
        "Requires: 001; 002",
        "Requires: none, 001",
        "Requires: ../x",
        "Files: rename filepath",
        "Files: rename",
        "Files: rename a.b; DROP TABLE x",
    ],
)
def test_wrong_header_values_are_refused_with_file_and_line(line: str) -> None:
    with pytest.raises(SqlScriptError) as caught:
        parse_header(f"-- é\n--  {line}\nSELECT 1", "x.sql")
    assert (caught.value.path, caught.value.line, caught.value.column) == ("x.sql", 2, 5)


def test_a_fact_stated_twice_differently_is_refused() -> None:
    with pytest.raises(SqlScriptError, match="first on line 1"):
        parse_header("-- Risk Level: LOW\n-- Risk Level: HIGH")
    assert parse_header("-- Risk Level: LOW\n-- Risk Level: LOW").risk_level == "LOW"


@pytest.mark.parametrize(
    ("lines", "leaves"),
    [
        ("-- Leaves: column order orders\n", ("column order orders",)),
        ("-- leaves:  column   order shop.orders\n", ("column order shop.orders",)),
        (
            "-- Leaves: column order orders\n-- Leaves: enum label mood.so so\n-- Leaves: column order orders\n",
            ("column order orders", "enum label mood.so so"),
        ),
        ("-- Risk Level: LOW\n", ()),
    ],
)
def test_what_a_rollback_leaves(lines: str, leaves: tuple[str, ...]) -> None:
    assert parse_header(f"{lines}DROP TABLE x;").leaves == leaves


@pytest.mark.parametrize("value", ["", "orders", "column orders", "enum label mood", "table orders"])
def test_anything_else_that_it_leaves_is_an_error(value: str) -> None:
    with pytest.raises(SqlScriptError, match="is not one of"):
        parse_header(f"-- Leaves: {value}\nDROP TABLE x;")
