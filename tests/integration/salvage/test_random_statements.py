# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""People write before and between the parts of random rollbacks: every word of theirs is somewhere afterwards."""

from __future__ import annotations

import contextlib
import re
from random import Random
from typing import Any

import psycopg2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2 import sql

from demo.local_server import LocalServer
from tests.integration.salvage.one_by_one import OneByOne
from tests.integration.salvage.random_migrations import SCHEMA, RandomMigration, migrations, write_at_random

# A statement that forbids a transaction, before and after those that destroy something.
LONE = " DROP INDEX CONCURRENTLY IF EXISTS no_such_index;"

WORD = re.compile(r"W[0-9]+W")

TEXT_COLUMNS = """
    SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
      AND a.atttypid IN ('text'::regtype, 'varchar'::regtype) ORDER BY 1, 2"""


class Writer:
    """Writes words into single rows, each word once, and knows which of them people took out again.

    Args:
        connection: of its own.
        chance: what it chooses by.
    """

    def __init__(self, connection: Any, chance: Random) -> None:
        self.connection = connection
        self.chance = chance
        self.number = 0
        self.expected: set[str] = set()

    def words(self) -> set[str]:
        """All that are in tables."""
        found: set[str] = set()
        with self.connection.cursor() as cursor:
            cursor.execute(
                "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relkind = 'r'"
                " AND c.relnamespace = 'public'::regnamespace"
            )
            for (name,) in cursor.fetchall():
                cursor.execute(f"SELECT t::text FROM {name} t")
                found |= {word for (line,) in cursor.fetchall() for word in WORD.findall(line)}
        self.connection.commit()
        return found

    def write(self, statements: int) -> None:
        before = self.words()
        with self.connection.cursor() as cursor:
            cursor.execute(TEXT_COLUMNS)
            columns = cursor.fetchall()
            for _ in range(statements):
                cursor.execute("SAVEPOINT one_write")
                try:
                    self._write_once(cursor, *self.chance.choice(columns))
                except psycopg2.Error:
                    cursor.execute("ROLLBACK TO SAVEPOINT one_write")
        self.connection.commit()
        after = self.words()
        self.expected = (self.expected - (before - after)) | (after - before)

    def _write_once(self, cursor: Any, table: str, column: str) -> None:
        self.number += 1
        word = sql.Literal(f"W{self.number}W")
        names = {"table": sql.Identifier(table), "column": sql.Identifier(column), "word": word}
        one_row = " WHERE (tableoid, ctid) = (SELECT tableoid, ctid FROM {table} ORDER BY hashtext(t::text) LIMIT 1)"
        what = self.chance.random()
        if what < 0.4:
            query = "INSERT INTO {table} ({column}) VALUES ({word})"
        elif what < 0.9:
            query = "UPDATE {table} t SET {column} = {word}" + one_row.replace("{table} O", "{table} t O")
        else:
            query = "DELETE FROM {table} t" + one_row.replace("{table} O", "{table} t O")
        cursor.execute(sql.SQL(query).format(**names))


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(migrations(), st.randoms(use_true_random=False), st.booleans())
def test_no_word_is_lost(
    server: LocalServer, migration: RandomMigration, chance: Random, foreseen: bool
) -> None:
    with contextlib.closing(server.connect("postgres")) as outside:
        outside.autocommit = True
        with outside.cursor() as cursor:
            cursor.execute("CREATE DATABASE random_statements")
            try:
                with (
                    contextlib.closing(server.connect("random_statements")) as connection,
                    contextlib.closing(server.connect("random_statements")) as other,
                ):
                    story = OneByOne(connection, migration.apply, LONE + migration.rollback + LONE)
                    story.execute(SCHEMA)
                    write_at_random(connection, chance, 40)
                    story.rehearse()
                    if not foreseen:
                        story.foreseen = None
                    story.deploy()
                    writer = Writer(other, chance)
                    writer.write(20)
                    story.between = lambda ordinal: writer.write(4)
                    story.roll_back()
                    story.deploy()
                    found = writer.words()
                    if story.ask("SELECT to_regclass('runbook_salvage.kept_row')") != [(None,)]:
                        kept = story.ask("SELECT kept FROM runbook_salvage.kept_row")
                        found |= {word for (line,) in kept if line for word in WORD.findall(line)}
                    assert not writer.expected - found
            finally:
                cursor.execute("DROP DATABASE random_statements WITH (FORCE)")
