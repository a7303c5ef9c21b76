# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The state of a database in full: its schema as pg_dump writes it, every row of every table, every sequence."""

from __future__ import annotations

import contextlib
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.pgops.runbook.plugins.module_utils.catalog.catalog import read_catalog
from psycopg2 import sql

from tests.integration.sql.midi_library import Databases, Undone

__all__ = ["State", "contents", "state_of", "state_within"]

RELATIONS = """
    SELECT n.nspname, c.relname
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = %s AND n.nspname !~ '^pg_|^information_schema$'
    ORDER BY 1, 2
"""


@dataclass
class State:
    """What a database holds.

    Attributes:
        schema: the output of pg_dump --schema-only, and what it leaves out, invalid indexes; within a
            transaction, which pg_dump cannot see into, the runbook's own reading of the catalog.
        rows: for each table its rows, each with its values by column.
        next_values: for each sequence the value that it would give next.
    """

    schema: Any
    rows: dict[str, list[dict]]
    next_values: dict[str, int]

    def differences(self, other: State) -> list[str]:
        """What differs between two states, by name; nothing when they are equal."""
        found = [] if self.schema == other.schema else ["schema"]
        found += [
            f"rows of {name}"
            for name in sorted(self.rows | other.rows)
            if self.rows.get(name) != other.rows.get(name)
        ]
        sequences = sorted(self.next_values | other.next_values)
        return found + [
            f"sequence {name}"
            for name in sequences
            if self.next_values.get(name) != other.next_values.get(name)
        ]

    def restricted_to(self, other: State) -> dict[str, list[dict]]:
        """The rows with only the tables and columns that the other state has rows and values for, too."""
        kept = {}
        for name, rows in self.rows.items():
            columns = other.rows[name][0].keys() if other.rows.get(name) else ()
            if name in other.rows:
                kept[name] = _ordered([{key: row[key] for key in row if key in columns} for row in rows])
        return kept


def state_of(databases: Databases, database: str) -> State:
    """Read the whole state of a database."""
    with contextlib.closing(databases.connect(database)) as connection, connection.cursor() as cursor:
        rows, next_values = contents(cursor)
        cursor.execute("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid ORDER BY 1")
        invalid = [name for (name,) in cursor.fetchall()]
    return State(f"{_schema_dump(databases, database)}\ninvalid: {invalid}", rows, next_values)


def state_within(transaction: Undone) -> State:
    """Read the whole state as a transaction sees it."""
    return State(read_catalog(transaction.cursor), *contents(transaction.cursor))


def contents(cursor: Any) -> tuple[dict[str, list[dict]], dict[str, int]]:
    """The rows of every table and the next value of every sequence, as a cursor sees them."""
    rows: dict[str, list[dict]] = {}
    next_values: dict[str, int] = {}
    cursor.execute(RELATIONS, ("r",))
    for schema, table in cursor.fetchall():
        cursor.execute(sql.SQL("SELECT to_jsonb(t)::text FROM {} t").format(sql.Identifier(schema, table)))
        rows[f"{schema}.{table}"] = _ordered([json.loads(row) for (row,) in cursor.fetchall()])
    cursor.execute(RELATIONS, ("S",))
    for schema, name in cursor.fetchall():
        sequence = sql.Identifier(schema, name)
        cursor.execute(sql.SQL("SELECT last_value + is_called::integer FROM {}").format(sequence))
        next_values[f"{schema}.{name}"] = cursor.fetchone()[0]
    return rows, next_values


def _ordered(rows: list[dict]) -> list[dict]:
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))


def _schema_dump(databases: Databases, database: str) -> str:
    server = databases.server
    done = subprocess.run(
        [
            str(Path(server.bindir) / "pg_dump"),
            *("-h", server.host, "-p", str(server.port), "-U", server.user, "-d", database),
            *("--schema-only", "--restrict-key=x"),  # otherwise two lines are random in each dump
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
