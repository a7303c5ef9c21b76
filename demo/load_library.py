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
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

import psycopg2  # noqa: E402 - the path has to be set first
from psycopg2 import sql  # noqa: E402

from demo.local_server import LocalServer, LocalServerError  # noqa: E402

DATABASE = "midi_library"
NEXT = "009"  # the demo deploys it


class LoadError(Exception):
    """A foreseeable failure, told in one sentence."""


def load(server: LocalServer, sql_dir: Path, files: int) -> None:
    """Drop and create the database, apply the migrations before NEXT with their sample rows.

    Args:
        server: a running server.
        sql_dir: folder with ``migrations`` and, optionally, ``sample``.
        files: how many MIDI files the sample scripts make up.
    Raises:
        LoadError: no scripts, or one of them failed.
    """
    scripts = [
        path for path in sorted((sql_dir / "migrations").glob("[0-9]*.sql")) if path.stem.split("_")[0] < NEXT
    ]
    if not scripts:
        raise LoadError(f"no migrations before {NEXT} in {sql_dir / 'migrations'}")
    _create_database(server)
    with contextlib.closing(server.connect(DATABASE)) as connection:
        connection.autocommit = True  # a script sent as a whole is one transaction by itself
        for script in scripts:
            started = time.monotonic()
            _execute(connection, script)
            _record(connection, script.stem)
            sample = sql_dir / "sample" / script.name
            if sample.exists():
                with connection.cursor() as cursor:
                    cursor.execute("SELECT set_config('sample.files', %s, false)", [str(files)])
                _execute(connection, sample)
            print(f"  {script.stem:<36} {time.monotonic() - started:5.1f} s", flush=True)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")


def _create_database(server: LocalServer) -> None:
    name = sql.Identifier(DATABASE)
    with contextlib.closing(server.connect("postgres")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
            if cursor.fetchone():
                print(f"Database {DATABASE} is there from an earlier demo: dropped, ledger and all.")
            cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            cursor.execute(sql.SQL("CREATE DATABASE {}").format(name))


def _execute(connection, script: Path) -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute(script.read_text(encoding="utf-8"))
    except psycopg2.Error as error:
        raise LoadError(f"{script.relative_to(PROJECT)} failed: {str(error).strip()}") from error


def _record(connection, stem: str) -> None:
    """Record a version in the application's own table, when its script has not done so itself."""
    version, _, words = stem.partition("_")
    with connection.cursor() as cursor:
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
