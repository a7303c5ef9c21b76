# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a tool has printed, taken apart: transaction control and bookkeeping go, every other byte stays."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.importing.alembic_books import books_of_alembic
from ansible_collections.pgops.runbook.plugins.plugin_utils.importing.statements import read_printed

LITERAL = "SELECT 'a\n\n\n\nBEGIN;\nCOMMIT;\n'"


def test_transaction_control_goes_and_the_rest_stays_byte_for_byte() -> None:
    printed = read_printed(f"BEGIN;\n\n-- é\n{LITERAL};\n\nCOMMIT;\nBEGIN;\nSELECT 2;\nCOMMIT;\n")
    assert printed.text == f"-- é\n{LITERAL};\n\nSELECT 2;"
    assert (printed.statements, printed.began, printed.outside, printed.doubled) == (2, True, False, False)


def test_what_ends_without_a_semicolon_gets_one() -> None:
    assert read_printed("SELECT 1; SELECT 2 -- last").text == "SELECT 1; SELECT 2 -- last\n;"
    assert read_printed("SELECT 1;\nCOMMIT").text == "SELECT 1;"


def test_savepoints_are_the_scripts_own() -> None:
    assert read_printed("SAVEPOINT a; SELECT 1; RELEASE a;").text == "SAVEPOINT a; SELECT 1; RELEASE a;"


@pytest.mark.parametrize("text", ["", "-- nothing\n", "BEGIN;\n--\n-- Alter field\n--\nCOMMIT;"])
def test_comments_are_no_statement(text: str) -> None:
    assert read_printed(text).statements == 0


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX CONCURRENTLY i ON t (a)",
        "ALTER TYPE m ADD VALUE 'x'; CREATE TABLE u (m m DEFAULT 'x')",
    ],
)
def test_what_cannot_be_in_a_transaction_is_seen(statement: str) -> None:
    assert read_printed(f"BEGIN; {statement}; COMMIT;").outside


def test_a_doubled_percent_counts_in_statements_only() -> None:
    assert read_printed("-- 100%%\nSELECT '100%'").doubled is False
    assert read_printed("SELECT '100%%'").doubled is True


def test_what_postgresql_does_not_understand_is_left_whole() -> None:
    printed = read_printed("BEGIN;\nSELECT %(a)s;\nCOMMIT;")
    assert printed.problem == 'syntax error at or near "%"'
    assert printed.text == "BEGIN;\nSELECT %(a)s;\nCOMMIT;"


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO ops.v (version_num) VALUES ('bb') RETURNING ops.v.version_num",
        "UPDATE ops.v SET version_num='bb' WHERE ops.v.version_num = 'aa'",
        "DELETE FROM ops.v WHERE ops.v.version_num = 'bb'",
        "DELETE FROM ops.v WHERE ops.v.version_num = 'bb'; DROP TABLE ops.v",
    ],
)
def test_alembics_own_statements_go(statement: str) -> None:
    printed = read_printed(f"CREATE TABLE t ();\n\n{statement};\n", books_of_alembic(["aa", "bb"]))
    assert (printed.text, printed.statements, printed.books) == ("CREATE TABLE t ();", 1, "ops.v")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO v (version_num) VALUES ('other')",
        "INSERT INTO v (version_num, name) VALUES ('bb', 'x')",
        "INSERT INTO v (version_num) SELECT 'bb'",
        "INSERT INTO v (version_num) VALUES ('bb'), ('aa')",
        "INSERT INTO v DEFAULT VALUES",
        "UPDATE v SET version_num = 7",
        "UPDATE v SET version_num = 'bb', name = 'x'",
        "DELETE FROM v WHERE name = 'bb'",
        "DELETE FROM v",
        "DELETE FROM v WHERE version_num = 'bb' AND name = 'x'",
        "DROP TABLE v",
    ],
)
def test_statements_of_the_application_stay(statement: str) -> None:
    printed = read_printed(f"{statement};", books_of_alembic(["aa", "bb"]))
    assert (printed.text, printed.books) == (f"{statement};", "")
