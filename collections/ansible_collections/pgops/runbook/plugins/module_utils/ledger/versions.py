# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""``schema_migrations``: the application's own record of what is applied, kept right for every migration."""

from __future__ import annotations

from ..errors import Refused, known
from ..postgres.answers import one_row
from ..postgres.columns import columns_of
from ..postgres.connection import sql
from ..postgres.names import as_application, relation_oid
from ..shapes import Cursor, TableName

__all__ = ["MARK", "VersionTable"]

# Says that the runbook made the table, so that the runbook takes it away again with the last version.
MARK = "Kept by the migration runbook; made by it because the application had no such table."

TEXT_TYPES = ("text", "varchar", "bpchar", "name")


class VersionTable:
    """``schema_migrations`` as the application's search_path finds it."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor

    def _table(self) -> TableName | None:
        """(schema, name) of the table, or None."""
        self.cursor.execute(
            "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c"
            " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.oid = %s AND c.relkind IN ('r', 'p')",
            (relation_oid(self.cursor, "schema_migrations"),),
        )
        row = self.cursor.fetchone()
        return None if row is None else (row[0], row[1])

    def _columns(self, table: TableName) -> dict[str, str]:
        name = sql.Identifier(*table).as_string(self.cursor)
        return {column.name: column.type_name for column in columns_of(self.cursor, name)}

    def check(self) -> None:
        """Refuse a table that cannot hold our versions.

        Raises:
            Refused: when it has no text column ``version``.
        """
        table = self._table()
        if table is None:
            return
        kind = self._columns(table).get("version")
        if kind not in TEXT_TYPES:
            found = f"of type {kind}" if kind else "missing"
            raise Refused(
                "version_table_unusable",
                f"Table {'.'.join(table)} cannot record migrations: its column version is {found},"
                " and has to be of type text or varchar.",
            )

    def applied(self) -> set[str]:
        """The recorded versions, a set of str; empty where there is no table."""
        table = self._table()
        if table is None:
            return set()
        self.cursor.execute(sql.SQL("SELECT version FROM {}").format(sql.Identifier(*table)))
        return {version for (version,) in self.cursor.fetchall()}

    def record(self, version: str, description: str) -> None:
        """Record ``version`` where the script did not; creates the table where the application has none.

        A row that is there already costs no sequence value, which INSERT ... ON CONFLICT would.
        """
        table = self._table()
        if table is None:
            with as_application(self.cursor):
                self.cursor.execute(
                    "CREATE TABLE schema_migrations (version pg_catalog.text PRIMARY KEY,"
                    " description pg_catalog.text,"
                    " applied_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now())"
                )
            table = known(self._table(), "the table that was just made")
            self.cursor.execute(sql.SQL("COMMENT ON TABLE {} IS %s").format(sql.Identifier(*table)), (MARK,))
        names = ["version"]
        values = [version]
        if "description" in self._columns(table):
            names.append("description")
            values.append(description)
        statement = sql.SQL(
            "INSERT INTO {} ({}) SELECT {} WHERE NOT EXISTS"
            " (SELECT FROM {} WHERE version OPERATOR(pg_catalog.=) %s::pg_catalog.text)"
        ).format(
            sql.Identifier(*table),
            sql.SQL(", ").join(map(sql.Identifier, names)),
            sql.SQL(", ").join(sql.Placeholder() * len(names)),
            sql.Identifier(*table),
        )
        with as_application(self.cursor):  # its triggers
            self.cursor.execute(statement, (*values, version))

    def forget(self, version: str) -> None:
        """Take ``version`` out where the rollback script did not; drops a table of our own that is empty."""
        table = self._table()
        if table is None:
            return
        statement = sql.SQL("DELETE FROM {} WHERE version OPERATOR(pg_catalog.=) %s::pg_catalog.text")
        with as_application(self.cursor):
            self.cursor.execute(statement.format(sql.Identifier(*table)), (version,))
        if self.is_ours(table):
            self.cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(*table)))
            if one_row(self.cursor)[0] == 0:
                self.cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(*table)))

    def is_ours(self, table: TableName | None = None) -> bool:
        """Whether the runbook made the table."""
        table = table or self._table()
        if table is None:
            return False
        self.cursor.execute(
            "SELECT obj_description(format('%%I.%%I', %s::text, %s::text)::regclass, 'pg_class')", table
        )
        return one_row(self.cursor)[0] == MARK

    def name(self) -> str | None:
        """``schema.table`` for a person, or None."""
        table = self._table()
        return ".".join(table) if table else None

    def quoted_name(self) -> str | None:
        """The name as PostgreSQL reads and writes it: with its schema, and with quotes where it needs them; or None."""
        table = self._table()
        if table is None:
            return None
        # As the catalog's keys are written; a script may have reset the session's own value (RESET ALL).
        self.cursor.execute("SELECT set_config('quote_all_identifiers', 'off', true)")
        self.cursor.execute("SELECT pg_catalog.quote_ident(%s) || '.' || pg_catalog.quote_ident(%s)", table)
        return one_row(self.cursor)[0]
