# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The text of an SQL file: what is refused as text, and where in it something is."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.source import (
    SqlScriptError,
    SqlText,
    clean_text,
    decode_script,
)

TEXT = "SELECT 'é😀';\r\n\tSELECT 2;\n\nend"


@pytest.mark.parametrize(
    ("offset", "place", "line"),
    [
        (0, (1, 1), "SELECT 'é😀';"),
        (TEXT.index(";"), (1, 12), "SELECT 'é😀';"),
        (TEXT.index("2"), (2, 9), "SELECT 2;"),
        (TEXT.index("\n\nend"), (2, 11), "SELECT 2;"),
        (TEXT.index("\nend"), (3, 1), ""),
        (len(TEXT), (4, 4), "end"),
    ],
)
def test_an_offset_is_a_line_and_a_column_in_characters(
    offset: int, place: tuple[int, int], line: str
) -> None:
    source = SqlText(TEXT, "x.sql")
    assert source.place(offset) == place
    assert source.line_at(offset) == line


class ReadOnce(str):
    """A text that is not gone through once more from its beginning."""

    def count(self, *_of: object) -> int:
        raise AssertionError("counted from the beginning")

    rfind = count


def test_places_are_known_without_reading_all_that_is_before_them() -> None:
    text = "SELECT 1;\n" * 1000
    source = SqlText(ReadOnce(text), "x.sql")
    places = [source.place(offset) for offset in range(0, len(text), 7)]
    assert places == [(offset // 10 + 1, offset % 10 + 1) for offset in range(0, len(text), 7)]


def test_a_line_is_cut_to_what_a_person_reads() -> None:
    assert SqlText("x" * 100, "x.sql").line_at(50) == "x" * 100
    assert SqlText("x" * 101, "x.sql").line_at(50) == "x" * 97 + "..."


def test_an_error_begins_with_its_place_and_carries_it() -> None:
    error = SqlText(TEXT, "migrations/x.sql").error("script_syntax_error", TEXT.index("2"), "it is wrong")
    assert isinstance(error, Refused)
    assert error.code == "script_syntax_error"
    assert error.reason == "migrations/x.sql, line 2, column 9: it is wrong"
    assert error.details == {"path": "migrations/x.sql", "line": 2, "column": 9}
    assert (error.path, error.line, error.column) == ("migrations/x.sql", 2, 9)


def test_bytes_that_are_not_utf8_are_refused_with_their_place() -> None:
    with pytest.raises(SqlScriptError, match="not UTF-8") as caught:
        decode_script("-- Überschrift\nSELECT 'é".encode() + b"\xe9'", "x.sql")
    assert (caught.value.line, caught.value.column) == (2, 10)


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert (
        decode_script(b"\xef\xbb\xbfSELECT 1", "x.sql") == clean_text("\ufeffSELECT 1", "x.sql") == "SELECT 1"
    )
    with pytest.raises(SqlScriptError) as caught:
        decode_script(b"\xef\xbb\xbfSEL\xff", "x.sql")
    assert (caught.value.line, caught.value.column) == (1, 4)


@pytest.mark.parametrize(
    ("text", "place", "word"),
    [("SELECT 1;\nSEL\0ECT 2;", (2, 4), "NUL"), ("SELECT 1;\nSELECT '\ud800'", (2, 9), "UTF-8")],
)
def test_what_neither_the_parser_nor_a_file_can_hold_is_refused(
    text: str, place: tuple[int, int], word: str
) -> None:
    with pytest.raises(SqlScriptError, match=word) as caught:
        clean_text(text, "x.sql")
    assert (caught.value.line, caught.value.column) == place
