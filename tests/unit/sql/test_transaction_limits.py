# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which statements cannot run in a transaction block, and what the catalog is asked about them afterwards."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.transaction_limits import (
    object_of,
    outside_transaction_only,
    unusable_enum_values,
)
from pglast import ast, parse_sql


def nodes(text: str) -> list[ast.Node]:
    return [one.stmt for one in parse_sql(text)]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX CONCURRENTLY i ON t (a)",
        "DROP INDEX CONCURRENTLY i",
        "REINDEX INDEX CONCURRENTLY i",
        "REINDEX (CONCURRENTLY) TABLE t",
        "REINDEX SCHEMA s",
        "REINDEX DATABASE d",
        "REINDEX SYSTEM d",
        "VACUUM t",
        "CREATE DATABASE d",
        "DROP DATABASE d",
        "CREATE TABLESPACE x LOCATION '/x'",
        "DROP TABLESPACE x",
        "ALTER DATABASE d SET TABLESPACE x",
        "CLUSTER",
        "DISCARD ALL",
        "ALTER TABLE a DETACH PARTITION b CONCURRENTLY",
        "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p",
        "DROP SUBSCRIPTION s",
        "ALTER SUBSCRIPTION s REFRESH PUBLICATION",
        "ALTER SUBSCRIPTION s SET PUBLICATION p",
    ],
)
def test_commands_outside_of_transactions_are_named(statement: str) -> None:
    (node,) = nodes(statement)
    command = outside_transaction_only(node)
    assert command is not None
    assert command.split()[0] == statement.split()[0] or command == "DETACH PARTITION CONCURRENTLY"
    assert ("CONCURRENTLY" in command) == ("CONCURRENTLY" in statement)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX i ON t (a)",
        "DROP INDEX i",
        "REINDEX TABLE t",
        "REINDEX (CONCURRENTLY false) TABLE t",
        "REINDEX (CONCURRENTLY 0) TABLE t",
        "ANALYZE t",
        "CLUSTER t USING i",
        "DISCARD TEMP",
        "ALTER TABLE a DETACH PARTITION b",
        "ALTER DATABASE d SET work_mem = '1MB'",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
        "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (create_slot = false)",
        "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (connect = false)",
        "ALTER SUBSCRIPTION s SET PUBLICATION p WITH (refresh = false)",
    ],
)
def test_their_relatives_are_not(statement: str) -> None:
    (node,) = nodes(statement)
    assert outside_transaction_only(node) is None


@pytest.mark.parametrize(
    ("later", "used"),
    [
        ("INSERT INTO t VALUES ('new')", True),
        ("ALTER TABLE t ALTER m SET DEFAULT 'new'::mood", True),
        ("DO $$ BEGIN UPDATE t SET m = 'new'; END $$", True),
        ("SELECT new FROM new", False),
        ("INSERT INTO t VALUES ('old')", False),
        ("DO $$ BEGIN RAISE NOTICE 'new things'; END $$", False),
    ],
)
def test_a_new_enum_value_is_unusable_only_when_a_later_statement_uses_it(later: str, used: bool) -> None:
    add = "ALTER TYPE mood ADD VALUE 'new'"
    assert list(unusable_enum_values(nodes(f"SELECT 1; {add}; {later}"))) == ([1] if used else [])
    assert not list(unusable_enum_values(nodes(f"{later}; {add}")))
    assert not list(unusable_enum_values(nodes(f"CREATE TYPE mood AS ENUM ('a'); {add}; {later}")))


@pytest.mark.parametrize(
    ("statement", "about"),
    [
        ("CREATE INDEX CONCURRENTLY i ON s.t (a)", {"index": ["s", "i"]}),
        ("CREATE INDEX CONCURRENTLY ON t (a)", None),
        ('DROP INDEX CONCURRENTLY "My.Index"', {"index": [None, "My.Index"]}),
        ("DROP INDEX CONCURRENTLY IF EXISTS s.i", {"index": ["s", "i"]}),
        ("ALTER TYPE s.mood ADD VALUE IF NOT EXISTS 'new'", {"type": ["s", "mood"], "label": "new"}),
        (
            "ALTER TABLE s.t DETACH PARTITION r.p CONCURRENTLY",
            {"table": ["s", "t"], "partition": ["r", "p"]},
        ),
        ("VACUUM t", None),
        ("REINDEX TABLE CONCURRENTLY t", None),
    ],
)
def test_what_such_a_command_is_about(statement: str, about: dict[str, object] | None) -> None:
    (node,) = nodes(statement)
    assert object_of(node) == about
