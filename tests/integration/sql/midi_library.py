# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The MIDI library's SQL, and databases with the library at each of its stages."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql

from demo.local_server import LocalServer

__all__ = ["PROJECT", "STEMS", "Databases", "Undone", "error_of", "execute", "load_sample", "query", "script"]

PROJECT = Path(__file__).resolve().parents[3]
STEMS = (
    "001_initial_schema",
    "002_add_parent_folder",
    "003_favorites",
    "006_track_splits",
    "007_enhanced_tags",
    "008_filename_metadata_fixed",
    "009_text_metadata",
    "010_harmonic_analysis",
    "011_enhanced_analysis_json",
    "update_normalized_filenames",
)
SAMPLE_FILES = 60


def script(kind: str, stem: str) -> str:
    """The text of a script of the library: kind is migrations, rollback, verify or sample."""
    suffix = "_rollback" if kind == "rollback" else ""
    return (PROJECT / "sql" / kind / f"{stem}{suffix}.sql").read_text(encoding="utf-8")


# There may be several of them on one server, as a session's and a test's own.
NUMBERS = itertools.count(1)


class Databases:
    """Databases with the library at its stages, made once, and throw-away copies of them.

    Stage 0 is empty; stage n has the first n migrations, each with its sample rows.
    """

    def __init__(self, server: LocalServer) -> None:
        self.server = server
        self._made: dict[str, str] = {}

    def connect(self, database: str) -> Any:
        """Connect with autocommit, so that a script's own BEGIN and COMMIT are in force."""
        connection = self.server.connect(database)
        connection.autocommit = True
        return connection

    @contextlib.contextmanager
    def copy(self, template: str) -> Iterator[str]:
        """A copy of a database, dropped afterwards."""
        name = f"sql_copy_{next(NUMBERS)}"
        self._create(name, template)
        try:
            yield name
        finally:
            self._administer("DROP DATABASE {} WITH (FORCE)", name)

    def stage(self, count: int) -> str:
        """The database with the first `count` migrations and their sample rows; not to be written to."""
        return self.stack(STEMS[:count])

    def before(self, stem: str) -> str:
        """The database with everything up to a migration, that one left out."""
        return self.stage(STEMS.index(stem))

    def after(self, stem: str) -> str:
        """The database with everything up to a migration, that one with its sample rows included."""
        return self.stage(STEMS.index(stem) + 1)

    def stack(self, stems: tuple[str, ...]) -> str:
        """The database with these migrations and their sample rows, in this order; not to be written to."""
        key = " ".join(stems)
        if key not in self._made:
            name = f"sql_stack_{next(NUMBERS)}"
            self._create(name, self.stack(stems[:-1]) if stems else "template0")
            for stem in stems[-1:]:
                execute(self, name, script("migrations", stem))
                load_sample(self, name, stem)
            self._made[key] = name
        return self._made[key]

    @contextlib.contextmanager
    def undone(self, database: str) -> Iterator[Undone]:
        """A transaction in a database that is rolled back at the end: cheaper than a copy where it will do."""
        with contextlib.closing(self.server.connect(database)) as connection, connection.cursor() as cursor:
            yield Undone(cursor)
            connection.rollback()

    def drop_all(self) -> None:
        """Drop the databases that were made to copy from."""
        for name in self._made.values():
            self._administer("DROP DATABASE {} WITH (FORCE)", name)
        self._made.clear()

    def _create(self, name: str, template: str) -> None:
        self._administer("CREATE DATABASE {} TEMPLATE {}", name, template)

    def _administer(self, statement: str, *names: str) -> None:
        with contextlib.closing(self.connect("postgres")) as connection, connection.cursor() as cursor:
            cursor.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


class Undone:
    """A transaction that is going to be rolled back, in which scripts run without their own BEGIN and COMMIT."""

    def __init__(self, cursor: Any) -> None:
        self.cursor = cursor

    def execute(self, text: str) -> list[str]:
        """Run SQL text or a whole script; returns its notices.

        Raises:
            psycopg2.Error: a statement failed.
        """
        self.cursor.connection.notices.clear()
        self.cursor.execute(re.sub(r"(?m)^(BEGIN|COMMIT);$", "", text))
        return list(self.cursor.connection.notices)

    def query(self, text: str) -> list[tuple]:
        """Run one query and return its rows."""
        self.cursor.execute(text)
        return self.cursor.fetchall()

    def refusal(self, text: str) -> str | None:
        """The error that a script ends with, undone to before it; None when it succeeds."""
        self.cursor.execute("SAVEPOINT here")
        try:
            self.execute(text)
        except psycopg2.Error as error:
            self.cursor.execute("ROLLBACK TO here")
            return str(error)
        return None

    def load_sample(self, stem: str) -> None:
        """Load a migration's sample rows, if it has any."""
        if (PROJECT / "sql" / "sample" / f"{stem}.sql").exists():
            self.execute(f"SET LOCAL sample.files = {SAMPLE_FILES};\n{script('sample', stem)}")


def load_sample(databases: Databases, database: str, stem: str) -> None:
    """Load a migration's sample rows, if it has any."""
    if (PROJECT / "sql" / "sample" / f"{stem}.sql").exists():
        execute(databases, database, f"SET sample.files = {SAMPLE_FILES};\n{script('sample', stem)}")


def execute(databases: Databases, database: str, text: str) -> list[str]:
    """Run SQL text in a session of its own, which ends with it; returns the notices.

    Raises:
        psycopg2.Error: a statement failed; the script's transaction is rolled back as its session ends.
    """
    with contextlib.closing(databases.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute(text)
        return list(connection.notices)


def query(databases: Databases, database: str, text: str) -> list[tuple]:
    """Run one query and return its rows."""
    with contextlib.closing(databases.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute(text)
        return cursor.fetchall()


def error_of(databases: Databases, database: str, text: str) -> str | None:
    """The message of the error that SQL text ends with, or None when it succeeds."""
    try:
        execute(databases, database, text)
    except psycopg2.Error as error:
        return str(error)
    return None
