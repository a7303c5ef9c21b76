# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Load many rows without what PostgreSQL would do for each: maintain indexes, check references, fire triggers.

What is set aside is put back afterwards by the server's own definitions, and the work of the triggers is done
for all rows at once.  The manual recommends the same: "Populating a Database".
"""

from __future__ import annotations

import contextlib
import os
import queue
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

__all__ = ["WORK_OF_TRIGGERS", "BulkLoading"]

# What triggers of the library do row by row, done once for all rows.  Triggers that are not named here stay enabled.
WORK_OF_TRIGGERS = {
    # As a change of type this rewrites the table, and leaves none of the old versions of its rows behind.
    "files_search_vector_trigger": """
        ALTER TABLE files ALTER COLUMN search_vector TYPE tsvector USING
            setweight(to_tsvector('english', coalesce(filename, '')), 'A')
            || setweight(to_tsvector('english', coalesce(manufacturer, '')), 'B')
            || setweight(to_tsvector('english', coalesce(collection_name, '')), 'B')
            || setweight(to_tsvector('english', coalesce(array_to_string(folder_tags, ' '), '')), 'C')""",
    "files_updated_at_trigger": "",  # the sample scripts set updated_at as it would
    "file_tags_usage_trigger": """
        UPDATE tags SET usage_count = usage_count + used.times
        FROM (SELECT tag_id, count(*) AS times FROM file_tags GROUP BY tag_id) AS used
        WHERE used.tag_id = tags.id""",
    "duplicate_files_count_trigger": """
        UPDATE duplicate_groups SET duplicate_count = duplicate_count + found.files
        FROM (SELECT group_id, count(*) AS files FROM duplicate_files GROUP BY group_id) AS found
        WHERE found.group_id = duplicate_groups.id""",
    "processing_errors_count_trigger": """
        UPDATE processing_jobs SET failed_files = failed_files + failed.files
        FROM (SELECT job_id, count(*) AS files FROM processing_errors GROUP BY job_id) AS failed
        WHERE failed.job_id = processing_jobs.id""",
}

SESSIONS = min(4, os.cpu_count() or 1)  # that build indexes side by side
# Each of the sessions builds on one core.  A crash may cost what was loaded: the database is made anew anyway.
_SETTINGS = """
    SET maintenance_work_mem = '256MB'; SET work_mem = '64MB';
    SET max_parallel_maintenance_workers = 0; SET synchronous_commit = off"""

# Primary keys stay, because foreign keys of later migrations point at them, and so does what a migration names in
# ON CONFLICT when it records itself.
_CONSTRAINTS = """
    SELECT pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::pg_catalog.regclass, conname),
           pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s',
                             conrelid::pg_catalog.regclass, conname, pg_catalog.pg_get_constraintdef(oid))
    FROM pg_catalog.pg_constraint
    WHERE contype = '{kind}' AND connamespace = 'public'::pg_catalog.regnamespace
      AND conrelid <> 'public.schema_migrations'::pg_catalog.regclass
    ORDER BY conrelid, conname"""
_UNIQUE = _CONSTRAINTS.replace("{kind}", "u")
_REFERENCES = _CONSTRAINTS.replace("{kind}", "f")

# The largest tables first, so that the sessions come to an end together.
_INDEXES = """
    SELECT pg_catalog.format('DROP INDEX %s', i.indexrelid::pg_catalog.regclass),
           pg_catalog.pg_get_indexdef(i.indexrelid)
    FROM pg_catalog.pg_index AS i
    JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
    WHERE c.relnamespace = 'public'::pg_catalog.regnamespace
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS k WHERE k.conindid = i.indexrelid)
    ORDER BY pg_catalog.pg_table_size(i.indrelid) DESC, c.relname"""

_TRIGGERS = """
    SELECT pg_catalog.format('ALTER TABLE %s DISABLE TRIGGER %I', tgrelid::pg_catalog.regclass, tgname),
           pg_catalog.format('ALTER TABLE %s ENABLE TRIGGER %I', tgrelid::pg_catalog.regclass, tgname),
           tgname
    FROM pg_catalog.pg_trigger
    WHERE NOT tgisinternal AND tgenabled = 'O'
    ORDER BY tgrelid, tgname"""

_ANALYZE = """
    SELECT pg_catalog.format('ANALYZE %s', oid::pg_catalog.regclass)
    FROM pg_catalog.pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::pg_catalog.regnamespace
    ORDER BY pg_catalog.pg_table_size(oid) DESC"""


class BulkLoading:
    """Indexes, constraints and triggers of schema public that wait until all rows are there.

    Args:
        connect: returns a new psycopg2 connection to the database, as a superuser.
        cursor: of a session with autocommit; it does all that is not done side by side.
    """

    def __init__(self, connect: Callable[[], Connection], cursor: Cursor) -> None:
        self._connect = connect
        self._cursor = cursor
        self._unique: list[str] = []
        self._references: list[str] = []
        self._indexes: list[str] = []
        self._triggers: dict[str, str] = {}
        cursor.execute(_SETTINGS)

    def set_aside(self) -> None:
        """Set aside what is there now; to be called again after each migration.

        Raises:
            psycopg2.Error: something else depends on what would be dropped.
        """
        self._references += self._dropped(_REFERENCES)
        self._unique += self._dropped(_UNIQUE)
        self._indexes += self._dropped(_INDEXES)
        self._cursor.execute(_TRIGGERS)
        for disable, enable, name in self._cursor.fetchall():
            if name in WORK_OF_TRIGGERS:
                self._cursor.execute(disable)
                self._triggers[name] = enable

    def put_back(self) -> Iterator[str]:
        """Do the triggers' work, put everything back and gather statistics; yields what is being done.

        Raises:
            psycopg2.Error: rows break a constraint or a unique index.
        """
        yield "work of triggers"
        for name in self._triggers:
            if WORK_OF_TRIGGERS[name]:
                self._cursor.execute(WORK_OF_TRIGGERS[name])
        for enable in self._triggers.values():
            self._cursor.execute(enable)
        yield from self._side_by_side("indexes", self._unique + self._indexes)
        # One after the other: nearly all of them lock the table of files.
        for number, reference in enumerate(self._references, start=1):
            self._cursor.execute(reference)
            yield f"references {number} of {len(self._references)}"
        self._cursor.execute(_ANALYZE)
        yield from self._side_by_side("statistics", [analyze for (analyze,) in self._cursor.fetchall()])

    def _side_by_side(self, doing: str, statements: list[str]) -> Iterator[str]:
        """Execute statements that lock no more than one table each, in several sessions."""
        with contextlib.ExitStack() as open_sessions, ThreadPoolExecutor(SESSIONS) as pool:
            idle: queue.Queue[Cursor] = queue.Queue()
            for _ in range(SESSIONS):
                idle.put(open_sessions.enter_context(self._session()))
            futures = [pool.submit(_execute_in_one_of, idle, statement) for statement in statements]
            try:
                for number, future in enumerate(as_completed(futures), start=1):
                    future.result()
                    yield f"{doing} {number} of {len(futures)}"
            finally:
                pool.shutdown(cancel_futures=True)

    @contextlib.contextmanager
    def _session(self) -> Iterator[Cursor]:
        with contextlib.closing(self._connect()) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute(_SETTINGS)
            yield cursor

    def _dropped(self, query: str) -> list[str]:
        """Execute the first column of a query, and return the second: how to make again what was dropped."""
        self._cursor.execute(query)
        found = self._cursor.fetchall()
        for drop, _ in found:
            self._cursor.execute(drop)
        return [make for _, make in found]


def _execute_in_one_of(idle: queue.Queue[Cursor], statement: str) -> None:
    cursor = idle.get()
    try:
        cursor.execute(statement)
    finally:
        idle.put(cursor)
