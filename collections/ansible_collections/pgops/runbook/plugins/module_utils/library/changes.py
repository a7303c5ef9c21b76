# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which paths a migration or its rollback changed in the database, kept until the files on disk have followed.

They are found by comparing the column before and after the script, in the script's own transaction: so they need no
convention about how a migration keeps its old names, a rollback changes exactly the rows that its script changed,
and there is no moment at which the new paths are committed and the list of them is not.
"""

from __future__ import annotations

from ..errors import StepFailed
from ..ledger.upgrade import upgrade
from ..postgres.application_tables import RELATIONS
from ..postgres.columns import columns_of
from ..postgres.connection import sql
from ..postgres.keys import PRIMARY_KEY

__all__ = [
    "CHANGED",
    "PathColumn",
    "PathsBefore",
    "PendingChanges",
    "changes_since",
    "files_behind",
    "has_path_changes",
    "pending_versions",
    "stream_rows",
]

# Each file of several sets once.
CHANGED = """
    SELECT file, (array_agg(old_path ORDER BY set_id))[1] AS old_path,
           (array_agg(new_path ORDER BY set_id DESC))[1] AS new_path
    FROM runbook.path_change WHERE set_id = ANY ({ids}::bigint[]) GROUP BY file"""

ROWS_A_FETCH = 5000


class PathColumn:
    """A column of paths, one row a file, each row known by its primary key.

    Args:
        cursor: of the transaction in which it is used.
        names: schema (may be left out), table and column.

    Raises:
        StepFailed: the table has no such column of text, or no primary key.
    """

    def __init__(self, cursor, names):
        shown = ".".join(names)
        cursor.execute(
            f"SELECT n.nspname, c.relname, c.oid::bigint, {PRIMARY_KEY} FROM {RELATIONS} WHERE c.oid = to_regclass(%s)",
            (sql.Identifier(*names[:-1]).as_string(cursor),),
        )
        schema, table, oid, key = cursor.fetchone() or (None, None, 0, [])
        found = {column.name: column.type_name for column in columns_of(cursor, oid)}.get(names[-1])
        if found not in ("text", "varchar"):
            what = f"it is of type {found}, not text" if found else "there is no such column"
            raise StepFailed(
                "path_column_unusable", f"The header says '-- Files: rename {shown}', and {what}."
            )
        # With its schema: the library's host may connect as a role with another search_path.
        self.names = [schema, table, names[-1]]
        self.table = sql.Identifier(schema, table)
        self.column = sql.Identifier(names[-1])
        if not key:
            raise StepFailed(
                "path_column_unusable",
                f"The header says '-- Files: rename {shown}', and the table has no primary key: which row is which"
                " file could not be told.",
            )
        parts = sql.SQL(", ").join(map(sql.Identifier, key))
        self.key = sql.SQL("{}::text" if len(key) == 1 else "jsonb_build_array({})::text").format(parts)


class PathsBefore:
    """The paths as they are before a script, and what it made of them.

    Args:
        cursor: of the transaction in which the script is going to run. Writers of the table wait from here on until
            its end: a path that somebody else changes in between would be taken for one of the script's.
        names: see PathColumn.
    """

    def __init__(self, cursor, names):
        self.column = PathColumn(cursor, names)
        cursor.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(self.column.table))
        cursor.execute("DROP TABLE IF EXISTS pg_temp.runbook_paths_before")
        cursor.execute(
            sql.SQL(
                "CREATE TEMPORARY TABLE runbook_paths_before ON COMMIT DROP AS"
                " SELECT {key} AS file, {column} AS path FROM {table}"
            ).format(key=self.column.key, column=self.column.column, table=self.column.table)
        )

    def record_changes(self, cursor, run_id, migration, direction):
        """Write down which paths are other ones now.

        Returns:
            int: how many.
        """
        upgrade(cursor)
        if not _has_table(cursor, self.column.names):
            # A rollback that drops the table says nothing about where the files are to be.
            return 0
        cursor.execute(
            "INSERT INTO runbook.path_change_set (run_id, migration, direction, path_column, changes)"
            " VALUES (%s, %s, %s, %s, 0) RETURNING set_id",
            (run_id, migration, direction, self.column.names),
        )
        set_id = cursor.fetchone()[0]
        cursor.execute(
            sql.SQL(
                "INSERT INTO runbook.path_change SELECT {set_id}, b.file, b.path, f.{column}"
                " FROM {table} f JOIN pg_temp.runbook_paths_before b ON b.file = {key} WHERE b.path <> f.{column}"
            ).format(
                # No parameters: a percent sign in a name would be taken for one.
                set_id=sql.Literal(set_id),
                column=self.column.column,
                table=self.column.table,
                key=self.column.key,
            )
        )
        changes = cursor.rowcount
        cursor.execute(
            "UPDATE runbook.path_change_set SET changes = %s, closed = CASE WHEN %s = 0 THEN clock_timestamp() END"
            " WHERE set_id = %s",
            (changes, changes, set_id),
        )
        cursor.execute("DROP TABLE pg_temp.runbook_paths_before")
        return changes


def _has_table(cursor, names):
    cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (sql.Identifier(*names[:-1]).as_string(cursor),))
    return cursor.fetchone()[0]


def has_path_changes(cursor):
    cursor.execute("SELECT to_regclass('runbook.path_change') IS NOT NULL")
    return cursor.fetchone()[0]


def changes_since(cursor, position):
    """Paths that migrations and rollbacks have changed since a receipt of the ledger.

    Args:
        cursor: of the database.
        position: of the receipt.

    Returns:
        dict: column (``schema.table.column``) -> number of paths.
    """
    if not has_path_changes(cursor):
        return {}
    cursor.execute(
        "SELECT array_to_string(s.path_column, '.'), sum(s.changes)::bigint FROM runbook.path_change_set s"
        " WHERE s.changes > 0 AND EXISTS (SELECT FROM runbook.receipt r WHERE r.run_id = s.run_id"
        " AND r.migration = s.migration AND r.status = 'ok' AND r.position > %s) GROUP BY 1 ORDER BY 1",
        (position,),
    )
    return dict(cursor.fetchall())


def files_behind(cursor):
    """What the files on disk have not followed everywhere, oldest first.

    Returns:
        list of dict: migration, direction ("deploy" or "rollback"), run_id, changes (number of paths), followed_on
        (hosts that have).
    """
    if not has_path_changes(cursor):
        return []
    cursor.execute(
        "SELECT migration, direction, run_id, changes, followed_on FROM runbook.path_change_set"
        " WHERE closed IS NULL AND direction <> 'rehearsed' ORDER BY set_id"
    )
    names = ("migration", "direction", "run_id", "changes", "followed_on")
    return [dict(zip(names, row)) for row in cursor.fetchall()]


def pending_versions(cursor):
    """Migrations whose changes the files on disk have not followed everywhere, oldest first, each once."""
    return list(dict.fromkeys(one["migration"] for one in files_behind(cursor)))


class PendingChanges:
    """The changes that the files of one host have not followed yet.

    Args:
        cursor: of a transaction; only reads.
        host: name of the host that holds the files.
    """

    rehearsed = False

    def __init__(self, cursor, host):
        self.host = host
        self.sets = []
        if has_path_changes(cursor):
            cursor.execute(
                "SELECT set_id, migration, direction, path_column, changes FROM runbook.path_change_set"
                " WHERE closed IS NULL AND direction <> 'rehearsed' AND NOT %s = ANY (followed_on) ORDER BY set_id",
                (host,),
            )
            names = ("set_id", "migration", "direction", "path_column", "changes")
            self.sets = [dict(zip(names, row)) for row in cursor.fetchall()]

    def columns(self):
        """The columns concerned, each once: list of names as in PathColumn."""
        return [list(names) for names in dict.fromkeys(tuple(one["path_column"]) for one in self.sets)]

    def changes(self, connection, names):
        """Each file whose path was changed, once, however often.

        Yields:
            (file, path before the first change, path where the file is to be); the last is None when its row was
            deleted since. Where the whole table is gone, it is the path that the last change gave.
        """
        ids = [one["set_id"] for one in self.sets if one["path_column"] == names]
        changed = sql.SQL(CHANGED).format(ids=sql.Literal(ids))
        with connection.cursor() as cursor:
            if not _has_table(cursor, names):
                return stream_rows(connection, changed)
            column = PathColumn(cursor, names)
        return stream_rows(
            connection,
            sql.SQL(
                "SELECT c.file, c.old_path, f.{column} FROM ({changed}) c LEFT JOIN {table} f ON {key} = c.file"
            ).format(column=column.column, changed=changed, table=column.table, key=column.key),
        )

    def rows(self, connection, names):
        """Yields (file, path) of every row; none where the table is gone."""
        with connection.cursor() as cursor:
            if not _has_table(cursor, names):
                return iter(())
            column = PathColumn(cursor, names)
        return stream_rows(
            connection,
            sql.SQL("SELECT {key}, {column} FROM {table} WHERE {column} IS NOT NULL").format(
                key=column.key, column=column.column, table=column.table
            ),
        )

    def has_path(self, cursor, names, path):
        """Whether a row has this path now."""
        column = PathColumn(cursor, names)
        cursor.execute(
            sql.SQL("SELECT EXISTS (SELECT FROM {table} WHERE {column} = {path})").format(
                column=column.column, table=column.table, path=sql.Literal(path)
            )
        )
        return cursor.fetchone()[0]

    def close(self, cursor, hosts):
        """The files of this host have followed; drops the changes when those of all ``hosts`` have."""
        ids = [one["set_id"] for one in self.sets]
        cursor.execute(
            "UPDATE runbook.path_change_set SET followed_on = followed_on || %s::text WHERE set_id = ANY (%s)",
            (self.host, ids),
        )
        cursor.execute(
            "UPDATE runbook.path_change_set SET closed = clock_timestamp()"
            " WHERE set_id = ANY (%s) AND followed_on @> %s RETURNING set_id",
            (ids, list(hosts)),
        )
        closed = [set_id for (set_id,) in cursor.fetchall()]
        cursor.execute("DELETE FROM runbook.path_change WHERE set_id = ANY (%s)", (closed,))


def stream_rows(connection, query):
    """Rows of a query, a few thousand in memory at a time, all of one snapshot."""
    with connection.cursor(name="runbook_paths") as cursor:
        cursor.itersize = ROWS_A_FETCH
        cursor.execute(query)
        yield from cursor
