# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Two databases for stories, one of each isolation level, emptied for each story."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from types import TracebackType

from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import connect
from ansible_collections.pgops.runbook.plugins.module_utils.shapes import Target
from psycopg2.extensions import connection as Connection

from benchmarks.merge_stories.values import ZONE_NAME
from demo.local_server import LocalServer

__all__ = ["LEVELS", "Connections", "Databases"]

NAMES = ("stories_read_committed", "stories_repeatable_read")
LEVELS = ("read committed", "repeatable read")
#: Catalogs of a database in which thousands of tables came and went are slow.
STORIES_A_DATABASE = 100
EMPTY = """
    DO $$ DECLARE one record; BEGIN
        FOR one IN SELECT nspname FROM pg_namespace
                   WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema' LOOP
            EXECUTE format('DROP SCHEMA %I CASCADE', one.nspname);
        END LOOP;
        PERFORM lo_unlink(oid) FROM pg_largeobject_metadata;
    END $$;
    CREATE SCHEMA public;"""


@dataclass(frozen=True)
class Connections:
    """Two to one database.

    Attributes:
        users: theirs, with the isolation level that the database has as default.
        ours: as the runbook opens its own.
    """

    users: Connection
    ours: Connection


class Databases:
    """Creating a database for each story would take longer than the story.

    Args:
        server: where they are.
    """

    def __init__(self, server: LocalServer) -> None:
        self.server = server
        self.open: dict[int, Connections] = {}
        self.told = [0, 0]

    def fresh(self, level: int) -> Connections:
        """Connections to an empty database whose default isolation level is LEVELS[level]."""
        if self.told[level] % STORIES_A_DATABASE == 0:
            self._create(level)
        self.told[level] += 1
        both = self.open[level]
        both.ours.rollback()
        both.users.rollback()
        with both.users.cursor() as cursor:
            cursor.execute(EMPTY)
        both.users.commit()
        return both

    def _create(self, level: int) -> None:
        self._drop(level)
        name = NAMES[level]
        with contextlib.closing(self.server.connect("postgres")) as outside:
            outside.autocommit = True
            with outside.cursor() as cursor:
                cursor.execute(f"CREATE DATABASE {name}")
                cursor.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = '{LEVELS[level]}'")
                cursor.execute(f"ALTER DATABASE {name} SET timezone = '{ZONE_NAME}'")
        target: Target = {
            "login_host": self.server.host,
            "login_port": self.server.port,
            "login_user": self.server.user,
            "login_db": name,
        }
        self.open[level] = Connections(self.server.connect(name), connect(target))

    def _drop(self, level: int) -> None:
        if level in self.open:
            both = self.open.pop(level)
            both.users.close()
            both.ours.close()
            with contextlib.closing(self.server.connect("postgres")) as outside:
                outside.autocommit = True
                with outside.cursor() as cursor:
                    cursor.execute(f"DROP DATABASE {NAMES[level]} WITH (FORCE)")

    def __enter__(self) -> Databases:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for level in list(self.open):
            self._drop(level)
