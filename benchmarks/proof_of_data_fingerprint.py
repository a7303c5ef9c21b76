# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Single values changed in random tables of random types, and whether the data fingerprint finds the table."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from ansible_collections.pgops.runbook.plugins.module_utils.content.difference import difference
from ansible_collections.pgops.runbook.plugins.module_utils.content.fingerprint import content_fingerprint
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.answers import one_row
from ansible_collections.pgops.runbook.plugins.module_utils.shapes import Connection, Cursor
from psycopg2 import sql

from benchmarks.measurement import Measurement, first_of
from demo.local_server import LocalServer
from tests.integration.content.values import DEFINITIONS, VALUES

__all__ = ["measure"]

WHAT = "single values changed and found by the data fingerprint"
DATABASE = "single_values"
CHANGES_A_SET = 25  # changes in one set of tables before other tables are made up
TABLES = ("plain", 'Mixed "Case"', "ключ")


def measure(
    server: LocalServer,
    changes: int,
    chance: Random,
    say: Callable[[str], None],
    fingerprint: Callable[[Any], dict] = content_fingerprint,
) -> Measurement:
    """Change one value at a time, take it back, and see that exactly its table is named.

    Args:
        server: LocalServer.
        changes: how many.
        fingerprint: what reads the fingerprint of a cursor's database.
    """
    tried = 0
    missed: list[str] = []
    restless = 0
    types: set[str] = set()
    with _typed_database(server) as connection, connection.cursor() as cursor:
        while tried < changes:
            tables = _make_tables(cursor, chance)
            before = fingerprint(cursor)
            for _ in range(min(CHANGES_A_SET, changes - tried)):
                tried += 1
                cursor.execute("SAVEPOINT change")
                table, type_name, value = _change_one_value(cursor, chance, tables)
                types.add(type_name)
                found = [item["table"] for item in difference(before, fingerprint(cursor))]
                if found != [_key(cursor, table)]:
                    missed.append(f"a {type_name} of {table} set to {value}: found {found}")
                cursor.execute("ROLLBACK TO SAVEPOINT change")
            # What differs by itself would seem to find every change.
            restless += bool(difference(before, fingerprint(cursor)))
            connection.rollback()
            if tried % 250 < CHANGES_A_SET:
                say(f"{tried} changes")
    notes = [f"{len(types)} of {len(VALUES)} types changed", *first_of(missed)]
    if restless:
        notes.append(f"{restless} times the fingerprint was another one after all changes were taken back")
    return Measurement(WHAT, tried, tried - len(missed), changes, holds=not restless, notes=notes)


def _make_tables(cursor: Cursor, chance: Random) -> dict[str, tuple[list[str], int]]:
    """Tables without any key: table -> (types of its columns, number of rows). Some rows occur twice."""
    made = {}
    for table in TABLES:
        types = chance.choices(list(VALUES), k=chance.randint(1, 15))
        columns = ", ".join(f'"c {n}" {name}' for n, name in enumerate(types))
        rows = chance.randint(1, 40)
        cursor.execute(f"CREATE TABLE {sql.Identifier(table).as_string(cursor)} ({columns})")
        for _ in range(rows):
            values = ", ".join(chance.choice(VALUES[name]) for name in types)
            for _ in range(chance.choice([1, 1, 1, 2])):
                cursor.execute(f"INSERT INTO {sql.Identifier(table).as_string(cursor)} VALUES ({values})")
        made[table] = (types, rows)
    return made


def _change_one_value(cursor: Cursor, chance: Random, tables: dict) -> tuple[str, str, str]:
    """Give one column of one row another value; (table, type, the value)."""
    while True:
        table = chance.choice(list(tables))
        types, rows = tables[table]
        number = chance.randrange(len(types))
        value = chance.choice(VALUES[types[number]])
        name = sql.Identifier(table).as_string(cursor)
        cursor.execute(
            f'UPDATE {name} SET "c {number}" = {value} WHERE ctid ='
            f" (SELECT ctid FROM {name} ORDER BY ctid LIMIT 1 OFFSET {chance.randrange(rows)})"
            f' AND ROW("c {number}")::text IS DISTINCT FROM ROW(CAST({value} AS {types[number]}))::text'
        )
        if cursor.rowcount == 1:
            return table, types[number], value


def _key(cursor: Cursor, table: str) -> str:
    cursor.execute("SELECT 'public.' || quote_ident(%s)", (table,))
    return one_row(cursor)[0]


@contextlib.contextmanager
def _typed_database(server: LocalServer) -> Iterator[Connection]:
    name = sql.Identifier(DATABASE)
    with contextlib.closing(server.connect("postgres")) as outside:
        outside.autocommit = True
        with outside.cursor() as cursor:
            cursor.execute(sql.SQL("CREATE DATABASE {}").format(name))
            try:
                with contextlib.closing(server.connect(DATABASE)) as connection:
                    with connection.cursor() as own:
                        own.execute(DEFINITIONS)
                    connection.commit()
                    yield connection
            finally:
                cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
