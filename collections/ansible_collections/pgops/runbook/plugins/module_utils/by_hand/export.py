# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Writing an item of the salvage to a file.

A composite type whose columns are all text splits the kept records into their columns. It gives each value as its
type wrote it, and needs neither the table nor its types, which the rollback may have dropped.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from ..errors import Refused
from ..postgres.connection import sql
from ..postgres.other_encodings import as_bytes
from ..postgres.session import PINNED_SETTINGS
from ..salvage.store.items import COLUMNS, OF_TABLES, SalvageStore
from ..salvage.store.rows import rows_of
from ..shapes import Cursor, Json

__all__ = ["FORMATS", "check_export", "export_item"]

FORMATS = ("csv", "sql")

ROWS_A_FETCH = 1000

TEXT = "UTF8"


def check_export(item: Json, file_format: str, path: str) -> None:
    """Refuse what cannot be written, before anything is.

    Args:
        item: as SalvageStore.item() gives it.
        file_format: one of FORMATS.
        path: of the file to write.

    Raises:
        Refused: for a bad path, a file that exists, or an item without rows of this format.
    """
    if not path or not os.path.isabs(path):
        raise Refused(
            "export_file_unusable",
            "The file to write is not named by its full path: -e salvage_file=/path/to/file. Nothing was written.",
        )
    if os.path.lexists(path):
        raise Refused(
            "export_file_unusable",
            f"{path} exists, and an export never overwrites a file. Nothing was written. Name another: -e"
            " salvage_file=/path/to/file",
        )
    if not os.path.isdir(os.path.dirname(path)):
        raise Refused(
            "export_file_unusable",
            f"There is no folder {os.path.dirname(path)} on the host where the module runs. Nothing was written. Name a"
            " file in a folder that exists: -e salvage_file=/path/to/file",
        )
    if file_format == "sql" and item["kind"] not in OF_TABLES:
        raise Refused(
            "salvage_item_not_exportable",
            f"Item {item['item']} ({item['kind']}) cannot be written as SQL statements. Nothing was written. Export"
            " it as CSV: -e salvage_format=csv",
        )


def export_item(cursor: Cursor, item: Json, file_format: str, path: str) -> None:
    """Write all rows of an item that are still kept.

    Args:
        cursor: in a transaction that the caller rolls back: a temporary type is made in it.
        item: as SalvageStore.item() gives it.
        file_format: one of FORMATS.
        path: of a file that does not exist; it appears when it is whole, readable by its owner only.

    Raises:
        Refused: when the file cannot be written.
    """
    SalvageStore(cursor).bring_up_to_date()
    _make_shapes(cursor, item)
    write = _write_csv if file_format == "csv" else _write_sql
    try:
        with _new_file(path) as file:
            write(cursor, item, file)
    except FileExistsError:
        raise Refused(
            "export_file_unusable",
            f"{path} has appeared meanwhile, and an export never overwrites a file. Nothing was written.",
        ) from None
    except OSError as error:
        raise Refused(
            "export_file_unusable",
            f"{path} could not be written: {error.strerror}. The item is still in the salvage.",
        ) from None


@contextmanager
def _new_file(path: str) -> Iterator[IO[bytes]]:
    handle, partial = tempfile.mkstemp(prefix=".salvage-", dir=os.path.dirname(path))  # its mode is 0600
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.link(partial, path)  # unlike a rename it does not replace a file that has appeared meanwhile
    finally:
        os.unlink(partial)


def _make_shapes(cursor: Cursor, item: Json) -> None:
    """Make the composite types into which keys and kept records are split."""
    for name, columns in (("runbook_export", item["columns"]), ("runbook_export_key", _key_columns(item))):
        if columns:
            cursor.execute(
                sql.SQL("CREATE TEMPORARY TABLE {} ({}) ON COMMIT DROP").format(
                    sql.Identifier(name),
                    sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(one)) for one in columns),
                )
            )


def _key_columns(item: Json) -> list[str]:
    """Columns by which a row is found, in the order in which a key is written."""
    return sorted(item["key_columns"])


def _beside(item: Json) -> list[str]:
    """Of these the ones that are not in the record: an earlier release left them out."""
    return [name for name in _key_columns(item) if name not in item["columns"]]


def _kept(item: Json) -> sql.Composed:
    """SQL query: number, columns, whether it was deleted or is new, and the fields of every row as the composites
    ``key`` and ``shape``."""
    parts = [sql.SQL("number, columns, kept IS NULL AS gone")]
    if _key_columns(item):
        parts.append(sql.SQL("CAST(key AS pg_temp.runbook_export_key) AS key"))
    if item["columns"]:
        parts.append(sql.SQL("CAST(coalesce(kept, base) AS pg_temp.runbook_export) AS shape"))
    else:
        parts.append(sql.SQL("key, kept"))
    return rows_of(item["item"], parts)


def _field(composite: str, name: str) -> sql.Composed:
    return sql.SQL("(k.{}).{}").format(sql.Identifier(composite), sql.Identifier(name))


def _write_csv(cursor: Cursor, item: Json, file: IO[bytes]) -> None:
    if item["columns"]:
        fields = [_field("key", name) for name in _beside(item)]
        fields += [_field("shape", name) for name in item["columns"]]
    else:
        fields = [sql.SQL("k.{}").format(sql.Identifier(name)) for name in ("key", "kept")]
    cursor.copy_expert(
        sql.SQL(
            "COPY (SELECT {} FROM ({}) AS k ORDER BY k.number) TO STDOUT WITH (FORMAT csv, HEADER, ENCODING {})"
        ).format(sql.SQL(", ").join(fields), _kept(item), sql.Literal(_encoding(cursor))),
        file,
    )


def _write_sql(cursor: Cursor, item: Json, file: IO[bytes]) -> None:
    """Statements that give the same values in any session: they set what was set when the values were kept."""
    lines = [
        f"-- {' '.join(item['kind'].split())} of migration {' '.join(item['migration'].split())}, item {item['item']}",
        "BEGIN;",
        f"SET LOCAL client_encoding = '{_encoding(cursor)}';",
        *(f"SET LOCAL {name} = '{pinned.value}';" for name, pinned in PINNED_SETTINGS.items()),
    ]
    file.write(("\n".join(lines) + "\n").encode("utf-8"))
    statement = sql.SQL("CASE WHEN k.gone THEN {} WHEN k.columns IS NULL AND {} THEN {} ELSE {} END").format(
        _delete(cursor, item),
        sql.Literal(item["kind"] != COLUMNS),
        _insert(cursor, item),
        _update(cursor, item),
    )
    if _encoding(cursor) != TEXT:
        statement = sql.SQL(as_bytes("{}")).format(statement)
    query = sql.SQL("SELECT {} FROM ({}) AS k ORDER BY k.number").format(statement, _kept(item))
    # On the server's side: the client never holds more than a batch of rows.
    with cursor.connection.cursor("runbook_export") as rows:
        rows.itersize = ROWS_A_FETCH
        rows.execute(query)
        for (line,) in rows:
            file.write((line.encode("utf-8") if isinstance(line, str) else bytes(line)) + b"\n")
    file.write(b"COMMIT;\n")


def _encoding(cursor: Cursor) -> str:
    """Of the file: UTF8, but where values may be no text, the bytes that they are."""
    of_database = cursor.connection.info.parameter_status("server_encoding")
    return of_database if of_database == "SQL_ASCII" else TEXT


def _insert(cursor: Cursor, item: Json) -> sql.Composed:
    """SQL expression: the INSERT of a row."""
    names = sql.SQL(", ").join(map(sql.Identifier, item["columns"])).as_string(cursor)
    return sql.SQL("{} || concat_ws(', ', {}) || ');'").format(
        sql.Literal(f"INSERT INTO {_table(cursor, item)} ({names}) OVERRIDING SYSTEM VALUE VALUES ("),
        sql.SQL(", ").join(
            sql.SQL("quote_nullable({})").format(_field("shape", one)) for one in item["columns"]
        ),
    )


def _update(cursor: Cursor, item: Json) -> sql.Composed:
    """SQL expression: the UPDATE of a row, of those of its values that count."""
    values = sql.SQL(", ").join(
        sql.SQL(
            "CASE WHEN k.columns IS NULL OR {} = ANY (k.columns) THEN {} || quote_nullable({}) END"
        ).format(
            sql.Literal(name),
            sql.Literal(f"{sql.Identifier(name).as_string(cursor)} = "),
            _field("shape", name),
        )
        for name in item["columns"]
    )
    return sql.SQL("{} || concat_ws(', ', {}) || {} || ';'").format(
        sql.Literal(f"UPDATE {_table(cursor, item)} SET "), values, _found(cursor, item)
    )


def _delete(cursor: Cursor, item: Json) -> sql.Composed:
    """SQL expression: the DELETE of a row that users had deleted."""
    return sql.SQL("{} || {} || ';'").format(
        sql.Literal(f"DELETE FROM {_table(cursor, item)}"), _found(cursor, item)
    )


def _found(cursor: Cursor, item: Json) -> sql.Composed:
    """SQL expression: the condition by which the row is found."""
    equal = sql.SQL(", ").join(
        sql.SQL("{} || coalesce('= ' || quote_literal({}), 'IS NULL')").format(
            sql.Literal(f"{sql.Identifier(name).as_string(cursor)} "), _field("key", name)
        )
        for name in _key_columns(item)
    )
    return sql.SQL("' WHERE ' || concat_ws(' AND ', {})").format(equal)


def _table(cursor: Cursor, item: Json) -> str:
    return sql.Identifier(item["schema"], item["table"]).as_string(cursor)
