# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Load many rows without what PostgreSQL would do for each: maintain indexes, check references, fire triggers.

What is set aside is put back afterwards by the server's own definitions, and the work of the triggers is done
for all rows at once.  The manual recommends the same: "Populating a Database".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from psycopg2.extensions import cursor as Cursor

from demo.side_by_side import SideBySide

__all__ = ["SETTINGS", "WORK_OF_TRIGGERS", "BulkLoading"]

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

# Each session builds on one core.  A crash may cost what was loaded: the database is made anew anyway.  Statistics come
# from 6,000 rows of a table instead of 30,000: the values are made by formulas, and repeat (manual, "ANALYZE").
SETTINGS = """
    SET maintenance_work_mem = '256MB'; SET work_mem = '64MB';
    SET max_parallel_maintenance_workers = 0; SET synchronous_commit = off; SET default_statistics_target = 20"""

# Primary keys stay, because foreign keys of later migrations point at them, and so does what a migration names in
# ON CONFLICT when it records itself.
_UNIQUE = """
    SELECT pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::pg_catalog.regclass, conname),
           pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s',
                             conrelid::pg_catalog.regclass, conname, pg_catalog.pg_get_constraintdef(oid))
    FROM pg_catalog.pg_constraint
    WHERE contype = 'u' AND connamespace = 'public'::pg_catalog.regnamespace
      AND conrelid <> 'public.schema_migrations'::pg_catalog.regclass
    ORDER BY conrelid, conname"""

# Rows are checked when all constraints are there: that locks nobody out, and so can be done side by side.
_REFERENCES = """
    SELECT pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::pg_catalog.regclass, conname),
           pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s NOT VALID',
                             conrelid::pg_catalog.regclass, conname, pg_catalog.pg_get_constraintdef(oid))
    FROM pg_catalog.pg_constraint
    WHERE contype = 'f' AND connamespace = 'public'::pg_catalog.regnamespace
    ORDER BY conrelid, conname"""

_CHECKS = """
    SELECT pg_catalog.format('ALTER TABLE %s VALIDATE CONSTRAINT %I', conrelid::pg_catalog.regclass, conname)
    FROM pg_catalog.pg_constraint
    WHERE NOT convalidated AND connamespace = 'public'::pg_catalog.regnamespace
    ORDER BY conrelid, conname"""
_INDEXES = """
    SELECT pg_catalog.format('DROP INDEX %s', i.indexrelid::pg_catalog.regclass),
           pg_catalog.pg_get_indexdef(i.indexrelid)
    FROM pg_catalog.pg_index AS i
    JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
    WHERE c.relnamespace = 'public'::pg_catalog.regnamespace
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS k WHERE k.conindid = i.indexrelid)
    ORDER BY i.indrelid, c.relname"""

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


_WRITTEN_AT_THE_END = frozenset(
    found.group(1)
    for statement in WORK_OF_TRIGGERS.values()
    if (found := re.search(r"(?:ALTER TABLE|UPDATE) (\w+)", statement)) is not None
)


def _waits_for_work(statement: str) -> bool:
    """Whether an index or constraint is of a table that the triggers' work writes."""
    table = re.search(r"(?:ALTER TABLE|ON) (?:public\.)?(\w+)", statement)
    return table is not None and table.group(1) in _WRITTEN_AT_THE_END


class BulkLoading:
    """Indexes, constraints and triggers of schema public that wait until all rows are there.

    Args:
        cursor: of a session with autocommit, as a superuser; it does what is not done side by side.
        side_by_side: other such sessions.
    """

    def __init__(self, cursor: Cursor, side_by_side: SideBySide) -> None:
        self._cursor = cursor
        self._side_by_side = side_by_side
        self._unique: list[str] = []
        self._references: list[str] = []
        self._indexes: list[str] = []
        self._triggers: dict[str, str] = {}

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
        # An index whose table is being written waits for that, and a session with it: the others are built before.
        work = [WORK_OF_TRIGGERS[name] for name in self._triggers if WORK_OF_TRIGGERS[name]]
        yield from self._each_of("indexes", work + sorted(self._unique + self._indexes, key=_waits_for_work))
        for statement in (*self._triggers.values(), *self._references):
            self._cursor.execute(statement)
        yield from self._each_of("references", self._statements(_CHECKS))
        yield from self._each_of("statistics", self._statements(_ANALYZE))

    def _statements(self, query: str) -> list[str]:
        self._cursor.execute(query)
        return [statement for (statement,) in self._cursor.fetchall()]

    def _each_of(self, doing: str, statements: list[str]) -> Iterator[str]:
        """Execute statements that lock no more than one table each."""
        for number, _ in enumerate(self._side_by_side.execute(statements), start=1):
            yield f"{doing} {number} of {len(statements)}"

    def _dropped(self, query: str) -> list[str]:
        """Execute the first column of a query, and return the second: how to make again what was dropped."""
        self._cursor.execute(query)
        found = self._cursor.fetchall()
        for drop, _ in found:
            self._cursor.execute(drop)
        return [make for _, make in found]
