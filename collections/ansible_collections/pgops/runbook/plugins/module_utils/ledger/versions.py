# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""``schema_migrations``: the application's own record of what is applied, kept right for every migration."""

from __future__ import annotations

from typing import NamedTuple

from ..errors import Refused
from ..postgres.answers import one_row
from ..postgres.columns import columns_of
from ..postgres.connection import sql
from ..postgres.script_session import on_role_path, schemas_of_role
from ..shapes import Cursor, TableName

__all__ = ["MARK", "VersionTable"]

# Says that the runbook made the table, so that the runbook takes it away again with the last version.
MARK = "Kept by the migration runbook; made by it because the application had no such table."

TEXT_TYPES = ("text", "varchar", "bpchar", "name")


# Where the role's search_path leads to no schema at all, PostgreSQL's own default is where people look.
DEFAULT_SCHEMA = "public"

FIND = """
    SELECT n.nspname::text, c.relname::text, c.oid::bigint FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = 'schema_migrations' AND c.relkind IN ('r', 'p') AND n.nspname = ANY (%s)
    ORDER BY pg_catalog.array_position(%s::pg_catalog.text[], n.nspname::pg_catalog.text) LIMIT 1"""


class FoundTable(NamedTuple):
    """The table of versions, as it was found."""

    schema: str
    name: str
    oid: int


class VersionTable:
    """``schema_migrations`` as the role's search_path finds it, whatever a script has made of the session's.

    A temporary table of that name is none.
    """

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor

    def _schemas(self) -> list[str]:
        """Where it is looked for; it is made in the first of them."""
        return schemas_of_role(self.cursor) or [DEFAULT_SCHEMA]

    def find(self) -> FoundTable | None:
        """The table, or None."""
        schemas = self._schemas()
        self.cursor.execute(FIND, (schemas, schemas))
        row = self.cursor.fetchone()
        return None if row is None else FoundTable(*row)

    def _table(self) -> TableName | None:
        """(schema, name) of the table, or None."""
        found = self.find()
        return None if found is None else (found.schema, found.name)

    def still_the_same(self, before: FoundTable | None) -> bool:
        """Whether a script has left the record of versions where it was found before it.

        It may make the first one, move it along the path, or drop it and make it anew; but not put another one in front
        of it, or take it out of the path and leave us to make a second one.
        """
        if before is None:
            return True
        now = self.find()
        if now is not None and now.oid == before.oid:
            return True
        self.cursor.execute("SELECT FROM pg_catalog.pg_class WHERE oid = %s", (before.oid,))
        return self.cursor.fetchone() is None

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

        Raises:
            Refused: there is no table, and no schema to make it in.
        """
        table = self._table() or self._make()
        names = ["version"]
        values = [version]
        if "description" in self._columns(table):
            names.append("description")
            values.append(description)
        insert = sql.SQL(
            "INSERT INTO {} ({}) SELECT {} WHERE NOT EXISTS"
            " (SELECT FROM {} WHERE version OPERATOR(pg_catalog.=) %s::pg_catalog.text)"
        ).format(
            sql.Identifier(*table),
            sql.SQL(", ").join(map(sql.Identifier, names)),
            sql.SQL(", ").join(sql.Placeholder() * len(names)),
            sql.Identifier(*table),
        )
        # The application may have a trigger or a default there.
        with on_role_path(self.cursor):
            self.cursor.execute(insert, (*values, version))

    def _make(self) -> TableName:
        schema = self._schemas()[0]
        self._must_be_there(schema)
        table = sql.Identifier(schema, "schema_migrations")
        self.cursor.execute(
            sql.SQL(
                "CREATE TABLE {} (version text PRIMARY KEY, description text,"
                " applied_at timestamptz NOT NULL DEFAULT now())"
            ).format(table)
        )
        self.cursor.execute(sql.SQL("COMMENT ON TABLE {} IS %s").format(table), (MARK,))
        return schema, "schema_migrations"

    def _must_be_there(self, schema: str) -> None:
        self.cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = %s)", (schema,)
        )
        if not one_row(self.cursor)[0]:
            raise Refused(
                "version_table_unusable",
                f"There is no table schema_migrations, and no schema to make it in: schema {schema} was dropped, and no"
                " other one is in the search_path. Say where tables belong: ALTER DATABASE <name> SET search_path ="
                " <schema>; then run the same command again.",
            )

    def forget(self, version: str) -> None:
        """Take ``version`` out where the rollback script did not; drops a table of our own that is empty."""
        table = self._table()
        if table is None:
            return
        with on_role_path(self.cursor):
            self.cursor.execute(
                sql.SQL("DELETE FROM {} WHERE version OPERATOR(pg_catalog.=) %s::pg_catalog.text").format(
                    sql.Identifier(*table)
                ),
                (version,),
            )
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
        # As the catalog's keys are written, also in a session that is not ours.
        self.cursor.execute("SELECT pg_catalog.set_config('quote_all_identifiers', 'off', true)")
        self.cursor.execute("SELECT pg_catalog.quote_ident(%s) || '.' || pg_catalog.quote_ident(%s)", table)
        return one_row(self.cursor)[0]
