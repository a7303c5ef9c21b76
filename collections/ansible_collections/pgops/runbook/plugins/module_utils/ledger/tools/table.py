# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A table in which migrations are recorded: the application's own, one row a migration, and what every tool's needs."""

from __future__ import annotations

from typing import Any, Dict, Optional

from ...errors import Refused
from ...postgres.connection import sql
from ...shapes import Cursor, Json, TableName

__all__ = ["INTEGER_TYPES", "TEXT_TYPES", "RecordTable", "delete", "insert", "there_is"]

TEXT_TYPES = ("text", "varchar", "bpchar", "name")
RARE = ("bpchar", "name")  # will do, and are not what anybody is told to take
INTEGER_TYPES = ("int2", "int4", "int8")


class RecordTable:
    """One row a migration, with its version.

    A subclass knows what another tool writes. The methods that write run in a session whose names are looked for as the
    role does, since the table may have triggers and defaults: so they qualify what they use.

    Args:
        settings: what the controller says of the tool: ``table``, ``version`` and ``description`` (names), and
            ``entries`` (version -> what the tool knows it by, in the order of the migrations).

    Attributes:
        name: the tool's, for sentences.
        table: name of the table.
        schema: where it is, where that is not for the search_path to say.
        made: statements that make the table ``{t}``, and each of the others by its name, as the tool would; empty
            where only the tool can.
        beside: names of what comes with it, of the table's name ``{t}``.
        others: tables of the same schema that belong to it.
        privileges: what a role needs on it and on those.
    """

    name = ""
    table = "schema_migrations"
    schema: Optional[str] = None
    made: tuple[str, ...] = (
        "CREATE TABLE {t} (version text PRIMARY KEY, description text, applied_at timestamptz NOT NULL DEFAULT now())",
    )
    beside: tuple[str, ...] = ("{t}_pkey",)
    others: tuple[str, ...] = ()
    privileges: tuple[str, ...] = ("SELECT", "INSERT", "DELETE")

    def __init__(self, settings: Json) -> None:
        self.entries: Dict[str, Any] = settings.get("entries") or {}
        self.version = settings.get("version") or "version"
        self.description = settings.get("description") or "description"
        given = settings.get("table") or ""
        if given:
            schema, _dot, self.table = given.rpartition(".")
            self.schema = schema or None

    def check(self, cursor: Cursor, table: TableName, columns: Dict[str, str]) -> None:
        """Refuse a table that cannot hold what is to be recorded.

        Args:
            columns: name -> name of the type.

        Raises:
            Refused: naming the column.
        """
        need_columns(table, columns, {self.version: TEXT_TYPES})

    def applied(self, cursor: Cursor, table: TableName) -> set[str]:
        """The recorded versions; of what is recorded and unknown, how the tool calls it."""
        cursor.execute(
            # As text, which leaves out the blanks that char(n) adds.
            sql.SQL("SELECT {}::pg_catalog.text FROM {}").format(
                sql.Identifier(self.version), sql.Identifier(*table)
            )
        )
        known = self._by_key()
        return {known.get(version, version) for (version,) in cursor.fetchall()}

    def _by_key(self) -> Dict[str, str]:
        """What the table calls a version -> the version."""
        return {str(entry): version for version, entry in self.entries.items()}

    def record(
        self, cursor: Cursor, table: TableName, version: str, description: str, columns: Dict[str, str]
    ) -> None:
        """Record a version, unless the script did.

        A row that is there already costs no sequence value, which INSERT ... ON CONFLICT would.

        Raises:
            Refused: the table cannot say that it is applied.
        """
        key = {self.version: str(self.entries.get(version, version))}
        if not there_is(cursor, table, key):
            more = {self.description: description} if self.description in columns else {}
            insert(cursor, table, {**key, **more})

    def forget(self, cursor: Cursor, table: TableName, version: str) -> None:
        """Take a version out, unless the script did.

        Raises:
            Refused: the table cannot say that it is not applied.
        """
        delete(cursor, table, {self.version: str(self.entries.get(version, version))})

    def is_empty(self, cursor: Cursor, table: TableName) -> bool:
        """Whether the table is as it was when it was made."""
        cursor.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(sql.Identifier(*table)))
        return cursor.fetchone() is None

    def entry(self, version: str) -> Any:
        """What the tool knows a version by.

        Raises:
            Refused: the folder does not say.
        """
        if version not in self.entries:
            raise Refused(
                "version_key_unknown",
                f"Nothing says how {self.name} knows migration {version}. Nothing was recorded.",
            )
        return self.entries[version]


def need_columns(table: TableName, columns: Dict[str, str], needed: Dict[str, tuple[str, ...]]) -> None:
    """
    Raises:
        Refused: a column is missing, or of a type that is not one of those.
    """
    for column, types in needed.items():
        kind = columns.get(column)
        if kind not in types:
            found = f"of type {kind}" if kind else "missing"
            raise Refused(
                "version_table_unusable",
                f"Table {'.'.join(table)} cannot record migrations: its column {column} is {found},"
                f" and has to be of type {' or '.join(one for one in types if one not in RARE)}.",
            )


def _value(value: Any) -> sql.Composable:
    """A literal with its type, since operators are named with their schema."""
    if isinstance(value, str):
        return sql.SQL("{}::pg_catalog.text").format(sql.Literal(value))
    return sql.Literal(value)


def _all(where: Dict[str, Any]) -> sql.Composable:
    return sql.SQL(" AND ").join(
        sql.SQL("{} OPERATOR(pg_catalog.=) {}").format(sql.Identifier(column), _value(value))
        for column, value in where.items()
    )


def there_is(cursor: Cursor, table: TableName, where: Dict[str, Any]) -> bool:
    """Whether a row has these values."""
    cursor.execute(sql.SQL("SELECT FROM {} WHERE {} LIMIT 1").format(sql.Identifier(*table), _all(where)))
    return cursor.fetchone() is not None


def insert(cursor: Cursor, table: TableName, row: Dict[str, Any]) -> None:
    """Add a row."""
    cursor.execute(
        sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(*table),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(map(sql.Literal, row.values())),
        )
    )


def delete(cursor: Cursor, table: TableName, where: Dict[str, Any]) -> None:
    """Remove the rows with these values."""
    cursor.execute(sql.SQL("DELETE FROM {} WHERE {}").format(sql.Identifier(*table), _all(where)))
