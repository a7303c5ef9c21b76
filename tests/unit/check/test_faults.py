# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""All faults of one script at once, each at its own place."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.check.faults import faults_of, parses
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.folder import Script, read_script
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.header import parse_header


def script(folder: Path, text: str | bytes) -> Script:
    path = folder / "x.sql"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_script(folder, path, tolerant=True)


def found(folder: Path, text: str | bytes) -> list[tuple[int, int, str]]:
    """Line, column and code of each fault, by place."""
    faults = faults_of(script(folder, text), parse_header)
    return sorted({(fault.line, fault.column, fault.code) for fault in faults})


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("SELECT 1;\n", []),
        ("-- Risk Level: LOW\n", []),
        (
            "-- Risk Level: SEVERE\n-- Data Loss: SOME\n-- Requires:\n-- Requires: 1\nSELECT 1;\n",
            [
                (1, 4, "header_invalid"),
                (2, 4, "header_invalid"),
                (3, 4, "header_invalid"),
                (4, 4, "header_invalid"),
            ],
        ),
        (
            "\\set x 1\nSELEC 1;\nSELECT :x;\nCREATE TABLE ä (id int);\nALTER SYSTEM SET a = 1;\nROLLBACK;\n",
            [
                (1, 1, "script_not_plain_sql"),
                (2, 1, "script_syntax_error"),
                (3, 8, "script_not_plain_sql"),
                (5, 1, "statement_forbidden"),
                (6, 1, "statement_forbidden"),
            ],
        ),
        # Rows that psql would read, semicolons in them, are no statements.
        (
            "COPY t FROM STDIN;\n1\tx;\n2\ty; DROP\n\\.\nDROP TABL t;\n",
            [(1, 1, "script_not_plain_sql"), (5, 6, "script_syntax_error")],
        ),
        # A semicolon that is missing spoils the statement behind it, and no more.
        ("SELECT 1\nSELECT 2;\nSELEC 3;\n", [(2, 8, "script_syntax_error"), (3, 1, "script_syntax_error")]),
        # Behind an open quote nothing can be told apart.
        ("SELEC 1;\nSELECT 'open;\nSELEC 2;\n", [(1, 1, "script_syntax_error")]),
        ("DO $$ BEGIN SELEC; END $$;\nSELEC 1;\n", [(2, 1, "script_syntax_error")]),
        (b"SELECT 1;\n\xff SELEC", [(2, 1, "script_unreadable")]),
        ("", []),
        # A header that is wrong does not hide what is wrong below it.
        ("-- Risk Level: ?\nSELEC 1;\n", [(1, 4, "header_invalid"), (2, 1, "script_syntax_error")]),
    ],
)
def test_all_faults_of_a_script(
    tmp_path: Path, text: str | bytes, faults: list[tuple[int, int, str]]
) -> None:
    assert found(tmp_path, text) == faults


def test_windows_lines_and_a_fault_on_the_last_one(tmp_path: Path) -> None:
    assert found(tmp_path, "SELEC 1;\r\n\\i a\r\nSELEC 2") == [
        (1, 1, "script_syntax_error"),
        (2, 1, "script_not_plain_sql"),
        (3, 1, "script_syntax_error"),
    ]


def test_a_file_with_nothing_but_faults_ends(tmp_path: Path) -> None:
    assert len(found(tmp_path, "SELEC 1;\n" * 500)) == 50


def test_what_parses(tmp_path: Path) -> None:
    assert parses(script(tmp_path, "SELECT 1"))
    assert not parses(script(tmp_path, "SELEC 1"))
    assert not parses(script(tmp_path, "-- Data Loss: x\nSELECT 1"))
