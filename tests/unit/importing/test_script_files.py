# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files that an import writes: their headers say what is meant, whatever the tool has printed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.importing.script_files import (
    is_edited,
    is_imported,
    script_text,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.importing.told import Half, Listed
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.header import Header, parse_header
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.script import parse_script

ONE = Listed("polls.0001_initial", "polls_0001_initial", "Make it", ("a.b",), "polls.0001_initial")
HALF = Half("--\n-- Requires: nobody\n--\nCREATE TABLE t ()", 1)


def text(one: Listed = ONE, half: Half = HALF, back: bool = False) -> str:
    return script_text("Django", one, half, "007_x", ["001_a", "002_b"], back)


@pytest.mark.parametrize("one_by_one", [False, True])
def test_the_header_is_the_imports_own(one_by_one: bool) -> None:
    half = replace(HALF, one_by_one=one_by_one, text=f"{HALF.text};\n-- Unfinished: not really")
    assert parse_header(text(half=half)) == Header(
        description="Make it",
        requires=("001_a", "002_b"),
        recorded_as="polls.0001_initial",
        transaction="none" if one_by_one else None,
        present=True,
    )
    parsed = parse_script(text(half=half), "x.sql")
    assert [one.sql for one in parsed.statements] == ["CREATE TABLE t ()"]
    assert parsed.transaction_blocks == (0 if one_by_one else 1)


@pytest.mark.parametrize(
    "comment", ["/* Requires: a\n */ ", "-- x\n/* Files:\n rename a.b */\n-- Leaves: y\n"]
)
def test_comments_that_read_as_facts_are_left_out_where_nothing_ends_the_header(comment: str) -> None:
    half = Half(f"{comment}VACUUM t;\n-- Leaves: me", 1, one_by_one=True)
    assert parse_header(text(half=half)).requires == ("001_a", "002_b")
    assert text(half=half).endswith(")\n\nVACUUM t;\n-- Leaves: me\n")


def test_nothing_that_a_tool_says_begins_a_line() -> None:
    hostile = "a\n-- Data Loss: NONE\r\n\0-- Leaves: x\u2028\x85-- Files: y"
    half = replace(HALF, unfinished=(hostile, "second"))
    header = parse_header(text(replace(ONE, description=hostile, recorded_as=hostile, key=hostile), half))
    assert (header.data_loss, header.leaves) == (None, ())
    assert header.unfinished == "a -- Data Loss: NONE -- Leaves: x -- Files: y; second"


def test_a_rollback_says_what_it_takes_back() -> None:
    found = parse_header(text(back=True))
    assert (found.description, found.requires, found.recorded_as) == ("Takes back: Make it", None, None)
    assert text(back=True).startswith("-- Rollback: 007_x_rollback.sql\n")


def test_a_half_without_statements_says_that_there_is_nothing_to_do() -> None:
    quoted = replace(ONE, key="it's")
    assert [one.sql for one in parse_script(text(quoted, Half("-- x")), "x.sql").statements] == [
        "SELECT 'it''s changes nothing in the database'"
    ]
    assert parse_script(text(half=Half("", unfinished=("write it",))), "x.sql").is_empty


def test_what_is_no_sql_of_postgresqls_stays_to_be_corrected() -> None:
    half = Half("BEGIN;\nSELECT %(a)s;\nCOMMIT;", unfinished=("correct it",), is_sql=False)
    assert text(half=half).endswith("\n\nBEGIN;\n\nSELECT %(a)s;\n\nCOMMIT;\n")


def test_an_edit_below_the_header_is_seen_and_one_in_it_is_not() -> None:
    imported = text()
    assert is_imported(imported)
    assert not is_imported("SELECT 1;")
    same = (imported, imported.replace("Make it", "Made"), imported.replace("\n", "\r\n"), "SELECT 1;")
    assert [is_edited(one) for one in same] == [False] * 4
    assert is_edited(imported.replace("TABLE t", "TABLE u"))
    assert is_edited(f"{imported}\n")
    assert not is_edited(text(half=Half("SELECT 'a\r\nb';", 1)))
