# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The application's own record of what is applied, kept right for every migration: its own table, or a tool's."""

from __future__ import annotations

from typing import NamedTuple

from ..errors import Refused
from ..postgres.answers import one_row
from ..postgres.columns import columns_of
from ..postgres.connection import sql
from ..postgres.script_session import on_role_path, schemas_of_role
from ..shapes import Content, Cursor, TableName
from .bookkeeping import books, recorded_in
from .planted import refuse_planted_code

__all__ = ["MARK", "VersionTable"]

# Says that the runbook made the table, so that the runbook takes it away again with the last version.
MARK = "Kept by the migration runbook; made by it because the application had no such table."


# Where the role's search_path leads to no schema at all, PostgreSQL's own default is where people look.
DEFAULT_SCHEMA = "public"

FIND = """
    SELECT n.nspname::text, c.relname::text, c.oid::bigint,
           coalesce(pg_catalog.obj_description(c.oid, 'pg_class') = %s, false)
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = %s AND c.relkind IN ('r', 'p') AND n.nspname = ANY (%s)
    ORDER BY pg_catalog.array_position(%s::pg_catalog.text[], n.nspname::pg_catalog.text) LIMIT 1"""


class FoundTable(NamedTuple):
    """The table of versions, as it was found.

    Attributes:
        is_ours: whether the runbook made it.
    """

    schema: str
    name: str
    oid: int
    is_ours: bool


class VersionTable:
    """The record of versions as the role's search_path finds it, whatever a script has made of the session's.

    A temporary table of that name is none.
    """

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self.books = books()

    def _schemas(self) -> list[str]:
        """Where it is looked for; it is made in the first of them."""
        if self.books.schema is not None:
            return [self.books.schema]
        return schemas_of_role(self.cursor) or [DEFAULT_SCHEMA]

    def find(self) -> FoundTable | None:
        """The table, or None."""
        schemas = self._schemas()
        self.cursor.execute(FIND, (MARK, self.books.table, schemas, schemas))
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

    def _written(self, table: TableName) -> list[str]:
        return [table[1], *self.books.others]

    def _columns(self, table: TableName) -> dict[str, str]:
        name = sql.Identifier(*table).as_string(self.cursor)
        return {column.name: column.type_name for column in columns_of(self.cursor, name)}

    def check(self) -> None:
        """Refuse a table that cannot hold our versions, that says that something is half done, or runs code of others.

        Raises:
            Refused: naming what is wrong with it.
        """
        table = self._table()
        if table is not None:
            # Before anything of it is read: the planner calls what stands in the predicate of an index.
            refuse_planted_code(self.cursor, table[0], self._written(table), locks=False)
            self.books.check(self.cursor, table, self._columns(table))
        elif not self.books.made:
            raise Refused(
                "version_table_unusable",
                f"There is no table {recorded_in()}, and only {self.books.name} can make it. Let it make its tables,"
                " for example by deploying its first change, then type the same command again.",
            )

    def applied(self) -> set[str]:
        """The recorded versions, a set of str; empty where there is no table.

        Raises:
            Refused: to read it would run code of others with a superuser's rights.
        """
        table = self._table()
        if table is None:
            return set()
        refuse_planted_code(self.cursor, table[0], self._written(table), locks=False)
        return self.books.applied(self.cursor, table)

    def record(self, version: str, description: str) -> None:
        """Record ``version`` where the script did not; creates the table where the application has none.

        Raises:
            Refused: there is no table, and no schema to make it in; it cannot say so (see RecordTable); or writing
                it would run code of others with a superuser's rights.
        """
        table = self._table() or self._make()
        refuse_planted_code(self.cursor, table[0], self._written(table), locks=True)
        # The application may have a trigger or a default there.
        columns = self._columns(table)
        with on_role_path(self.cursor):
            self.books.record(self.cursor, table, version, description, columns)

    def _make(self) -> TableName:
        schema, name = self._schemas()[0], self.books.table
        self._must_be_there(schema)
        table = sql.Identifier(schema, name)
        beside = {suffix: sql.Identifier(f"{name}_{suffix}") for suffix in ("pk", "s_idx")}
        others = {other: sql.Identifier(schema, other) for other in self.books.others}
        for statement in self.books.made:
            self.cursor.execute(
                sql.SQL(statement).format(t=table, t_pk=beside["pk"], t_s_idx=beside["s_idx"], **others)
            )
        self.cursor.execute(sql.SQL("COMMENT ON TABLE {} IS %s").format(table), (MARK,))
        return schema, name

    def _must_be_there(self, schema: str) -> None:
        self.cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = %s)", (schema,)
        )
        if not one_row(self.cursor)[0]:
            raise Refused(
                "version_table_unusable",
                f"There is no table {self.books.table}, and no schema to make it in: schema {schema} was dropped, and"
                " no other one is in the search_path. Say where tables belong: ALTER DATABASE <name> SET search_path ="
                " <schema>; then run the same command again.",
            )

    def forget(self, version: str) -> None:
        """Take ``version`` out where the rollback script did not; drops a table of our own that is empty.

        Raises:
            Refused: as record().
        """
        record = self.find()
        if record is None:
            return
        table = (record.schema, record.name)
        refuse_planted_code(self.cursor, table[0], self._written(table), locks=True)
        with on_role_path(self.cursor):
            self.books.forget(self.cursor, table, version)
        if record.is_ours and self.books.is_empty(self.cursor, table):
            names = sql.SQL(", ").join(sql.Identifier(table[0], name) for name in self._written(table))
            self.cursor.execute(sql.SQL("DROP TABLE {}").format(names))

    def is_ours(self) -> bool:
        """Whether there is one, and the runbook made it."""
        found = self.find()
        return found is not None and found.is_ours

    def name(self) -> str | None:
        """``schema.table`` for a person, or None."""
        table = self._table()
        return ".".join(table) if table else None

    def names(self) -> list[TableName]:
        """(schema, name) of it and of the tables that belong to it; empty where there is no table."""
        table = self._table()
        return [] if table is None else [(table[0], name) for name in self._written(table)]

    def quoted_names(self) -> list[str]:
        """Its name and those of the tables that belong to it, as PostgreSQL reads and writes them.

        With their schema, and with quotes where they need them; empty where there is no table.
        """
        names = self.names()
        if not names:
            return []
        # As the catalog's keys are written, also in a session that is not ours.
        self.cursor.execute("SELECT pg_catalog.set_config('quote_all_identifiers', 'off', true)")
        self.cursor.execute(
            "SELECT pg_catalog.quote_ident(%s) || '.' || pg_catalog.quote_ident(name)"
            " FROM pg_catalog.unnest(%s::pg_catalog.text[]) WITH ORDINALITY AS t (name, place) ORDER BY place",
            (names[0][0], [name for _schema, name in names]),
        )
        return [name for (name,) in self.cursor.fetchall()]

    def quoted_beside(self) -> list[str]:
        """Names, likewise, of what comes with a table that the runbook has made: keys, indexes, sequences."""
        table = self._table()
        if table is None:
            return []
        self.cursor.execute(
            "SELECT pg_catalog.quote_ident(%s) || '.' || pg_catalog.quote_ident(name)"
            " FROM pg_catalog.unnest(%s::pg_catalog.text[]) AS t (name)",
            (table[0], [name.replace("{t}", table[1]) for name in self.books.beside]),
        )
        return [name for (name,) in self.cursor.fetchall()]

    def without_books(self, content: Content) -> Content:
        """A fingerprint of rows without those of a tool's own tables, which come and go with every migration.

        An application's own table counts: it may have more rows than those that the runbook writes.
        """
        if not self.books.name:
            return content
        names = self.quoted_names()
        return {
            **content,
            "tables": {name: facts for name, facts in content["tables"].items() if name not in names},
            "sequences": {
                name: value
                for name, value in content["sequences"].items()
                if not name.startswith(tuple(f"{one}_" for one in names))
            },
        }
