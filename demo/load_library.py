#!/usr/bin/env python3
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make the demo database: the MIDI library as it stood before migration 009, with sample rows.

This is deliberately not the runbook: it stands for the years in which the application's migrations were
applied by hand.  The database is made anew every time, so that every demo starts from the same state.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

import psycopg2  # noqa: E402 - the path has to be set first
from psycopg2 import sql  # noqa: E402
from psycopg2.extensions import connection as Connection  # noqa: E402
from psycopg2.extensions import cursor as Cursor  # noqa: E402

from demo.bulk_loading import SETTINGS, BulkLoading  # noqa: E402
from demo.loading_line import LoadingLine  # noqa: E402
from demo.local_server import LocalServer, LocalServerError  # noqa: E402
from demo.side_by_side import SideBySide, waves  # noqa: E402

DATABASE = "midi_library"
NEXT = "009"  # the demo deploys it


class LoadError(Exception):
    """A foreseeable failure, told in one sentence."""


def load(server: LocalServer, sql_dir: Path, files: int, stream: TextIO = sys.stdout) -> None:
    """Drop and create the database, apply the migrations before NEXT with their sample rows.

    Args:
        server: a running server.
        sql_dir: folder with ``migrations`` and, optionally, ``sample``.
        files: how many MIDI files the sample scripts make up.
        stream: where to show how far it is.
    Raises:
        LoadError: no scripts, or one of them failed.
    """
    scripts = [
        path for path in sorted((sql_dir / "migrations").glob("[0-9]*.sql")) if path.stem.split("_")[0] < NEXT
    ]
    if not scripts:
        raise LoadError(f"no migrations before {NEXT} in {sql_dir / 'migrations'}")
    _create_database(server, stream)

    def prepare(cursor: Cursor) -> None:
        cursor.execute(SETTINGS)
        cursor.execute("SELECT set_config('sample.files', %s, false)", [str(files)])

    def connect() -> Connection:
        return server.connect(DATABASE)

    with (
        contextlib.closing(connect()) as connection,
        SideBySide(connect, prepare) as side_by_side,
        _size_of_database(server) as size,
    ):
        connection.autocommit = True  # a migration sent as a whole is one transaction by itself
        with connection.cursor() as cursor, LoadingLine(stream, size) as line:
            prepare(cursor)
            _load_scripts(cursor, side_by_side, scripts, sql_dir / "sample", line)
        print(f"  {files:,} files: {line.text()}", file=stream, flush=True)


def _load_scripts(
    cursor: Cursor, side_by_side: SideBySide, scripts: list[Path], samples: Path, line: LoadingLine
) -> None:
    """Apply migrations, each followed by its sample rows, and do at the end what can be done for all rows."""
    bulk = BulkLoading(cursor, side_by_side)
    for script in scripts:
        line.now(script.stem)
        with _said_as_load_error(script):
            cursor.execute(script.read_text(encoding="utf-8"))
        _record(cursor, script.stem)
        sample = samples / script.name
        if sample.exists():
            with _said_as_load_error(sample):
                bulk.set_aside()
                for statements in waves(sample.read_text(encoding="utf-8")):
                    for rows in side_by_side.execute(statements):
                        line.add(rows)
    with _said_as_load_error(samples):
        for doing in bulk.put_back():
            line.now(doing)


@contextlib.contextmanager
def _size_of_database(server: LocalServer) -> Iterator[Callable[[], int]]:
    """A function that asks for the size in bytes, in a session of its own beside the one that loads."""
    with contextlib.closing(server.connect("postgres")) as connection:
        connection.autocommit = True
        known = 0

        def size() -> int:
            nonlocal known
            # When the server is gone, the session that loads says so.
            with contextlib.suppress(psycopg2.Error), connection.cursor() as cursor:
                cursor.execute("SELECT pg_catalog.pg_database_size(%s)", [DATABASE])
                known = cursor.fetchall()[0][0]
            return known

        yield size


def _create_database(server: LocalServer, stream: TextIO) -> None:
    name = sql.Identifier(DATABASE)
    with contextlib.closing(server.connect("postgres")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
            if cursor.fetchone():
                print(
                    f"Database {DATABASE} is there from an earlier demo: dropped, ledger and all.",
                    file=stream,
                )
            cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            cursor.execute(sql.SQL("CREATE DATABASE {}").format(name))


@contextlib.contextmanager
def _said_as_load_error(path: Path) -> Iterator[None]:
    try:
        yield
    except psycopg2.Error as error:
        raise LoadError(f"{path.relative_to(PROJECT)} failed: {str(error).strip()}") from error


def _record(cursor: Cursor, stem: str) -> None:
    """Record a version in the application's own table, when its script has not done so itself."""
    version, _, words = stem.partition("_")
    cursor.execute(
        "INSERT INTO schema_migrations (version, description) "
        "SELECT %(version)s, %(description)s "
        "WHERE NOT EXISTS (SELECT FROM schema_migrations WHERE version = %(version)s)",
        {"version": version, "description": words.replace("_", " ")},
    )


def main(arguments: list[str]) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(description="Make the demo database on the local server.")
    parser.add_argument("--state", type=Path, default=PROJECT / ".local", help="state folder of the server")
    parser.add_argument(
        "--files", type=int, default=10000, help="number of MIDI files (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    if options.files < 1:
        parser.error("--files must be at least 1")
    try:
        server = LocalServer(options.state)
        if server.pid() is None:
            raise LoadError("the local server does not run; start it with: make start")
        load(server, PROJECT / "sql", options.files)
    except (LoadError, LocalServerError, psycopg2.OperationalError) as error:
        print(f"demo database: {str(error).strip()}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
