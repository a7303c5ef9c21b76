#!/usr/bin/env python3
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a database holds, read without any code of the collection: pg_dump's schema, every row, every sequence.

Scenarios take snapshots between two runs and compare them in their tests.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from psycopg2 import sql

from demo.local_server import LocalServer

RUNBOOK_SCHEMAS = ("runbook", "runbook_salvage")


def take_snapshot(server: LocalServer, database: str) -> dict[str, Any]:
    """Return schema, rows and sequences of a database, without the runbook's own schemas.

    Returns:
        dict: schema (text), tables (name -> {columns: list, rows: sorted list of lists of text}) and
        sequences (name -> next value).
    Raises:
        subprocess.CalledProcessError: pg_dump failed; its message is on standard error.
        psycopg2.Error: the database cannot be read.
    """
    with contextlib.closing(server.connect(database)) as connection, connection.cursor() as cursor:
        return {
            "schema": schema_text(server, database),
            "tables": {name: _rows(cursor, schema, table) for name, schema, table in _tables(cursor)},
            "sequences": _sequences(cursor),
        }


def schema_text(server: LocalServer, database: str) -> str:
    """Return what pg_dump says of the schema; the key keeps two dumps of one schema equal."""
    command = [
        str(Path(server.bindir, "pg_dump")),
        *(f"--host={server.host}", f"--port={server.port}", f"--username={server.user}"),
        *(f"--exclude-schema={schema}" for schema in RUNBOOK_SCHEMAS),
        *("--schema-only", "--restrict-key=snapshot", database),
    ]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _tables(cursor) -> list[tuple[str, str, str]]:
    cursor.execute(
        "SELECT schemaname || '.' || tablename, schemaname, tablename FROM pg_tables"
        " WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND schemaname <> ALL (%s) ORDER BY 1",
        (list(RUNBOOK_SCHEMAS),),
    )
    return cursor.fetchall()


def _rows(cursor, schema: str, table: str) -> dict[str, Any]:
    name = sql.Identifier(schema, table)
    cursor.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(name))
    columns = [column.name for column in cursor.description]
    texts = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(column)) for column in columns)
    cursor.execute(sql.SQL("SELECT {} FROM {}").format(texts, name))
    rows = [list(row) for row in cursor.fetchall()]
    return {"columns": columns, "rows": sorted(rows, key=json.dumps)}


def _sequences(cursor) -> dict[str, int]:
    cursor.execute(
        "SELECT schemaname || '.' || sequencename, schemaname, sequencename, increment_by FROM pg_sequences"
        " WHERE schemaname <> ALL (%s)",
        (list(RUNBOOK_SCHEMAS),),
    )
    following = {}
    for name, schema, sequence, increment in cursor.fetchall():
        cursor.execute(
            sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(schema, sequence))
        )
        last, is_called = cursor.fetchone()
        following[name] = last + increment if is_called else last
    return following


def main(arguments: list[str]) -> int:
    """Write ``<state>/snapshots/<name>.json`` for each name on standard input; return the exit status."""
    parser = argparse.ArgumentParser(
        description="Write down what databases of the scenario's server hold: {name: database}, as JSON."
    )
    parser.add_argument("--state", type=Path, required=True, help="state folder of the server")
    options = parser.parse_args(arguments)
    folder = options.state / "snapshots"
    folder.mkdir(exist_ok=True)
    for name, database in json.load(sys.stdin).items():
        snapshot = take_snapshot(LocalServer(options.state), database)
        (folder / f"{name}.json").write_text(json.dumps(snapshot, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
