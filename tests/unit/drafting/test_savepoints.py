# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Statements from which a script has gone back are neither taken back nor asked for."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting.checks import checks_of
from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting.savepoints import those_that_hold
from pglast import parse_sql

from tests.unit.drafting.answers import draft, statements


@pytest.mark.parametrize(
    ("script", "tables"),
    [
        ("CREATE TABLE a (); SAVEPOINT s; CREATE TABLE b (); ROLLBACK TO s; CREATE TABLE c ()", "ac"),
        (
            "SAVEPOINT s; CREATE TABLE a (); ROLLBACK TO s; CREATE TABLE b (); ROLLBACK TO s; CREATE TABLE c ()",
            "c",
        ),
        (
            "SAVEPOINT s; CREATE TABLE a (); SAVEPOINT t; CREATE TABLE b (); ROLLBACK TO s; CREATE TABLE c ()",
            "c",
        ),
        ("SAVEPOINT s; CREATE TABLE a (); SAVEPOINT s; CREATE TABLE b (); ROLLBACK TO s", "a"),
        # The inner one released, its name is that of the outer one again.
        ("SAVEPOINT s; CREATE TABLE a (); SAVEPOINT s; CREATE TABLE b (); RELEASE s; ROLLBACK TO s", ""),
        ("SAVEPOINT s; CREATE TABLE a (); RELEASE s; CREATE TABLE b ()", "ab"),
    ],
)
def test_what_holds(script: str, tables: str) -> None:
    held = those_that_hold(parse_sql(f"BEGIN; {script}; COMMIT"))
    assert "".join(raw.stmt.relation.relname for raw in held if hasattr(raw.stmt, "relation")) == tables
    assert statements(draft(script)) == [f"DROP TABLE {name};" for name in reversed(tables)]
    assert [words for words, _ in checks_of(script)] == [f"table {name}" for name in tables]


def test_what_ends_with_the_session_is_neither() -> None:
    text = "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; DROP FUNCTION pg_temp.f()"
    assert statements(draft(text)) == []
    assert checks_of(text) == []
    assert not draft(text).unfinished
