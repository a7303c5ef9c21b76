# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Text that is not of the encoding of the database that gives it out.

Names that all databases of a server share are in the encoding of whichever database they were made in.
In a database of another encoding the server hands them out as they are, unconverted and unchecked, and nobody can type
them there (manual, "CREATE DATABASE", on ENCODING; src/backend/utils/mb/mbutils.c converts by the encoding of the
session's own database). And a database of SQL_ASCII holds any bytes.
"""

from __future__ import annotations

import json
from typing import Any

from ..errors import RunbookError, StepFailed
from ..sentences import listed, visible
from ..shapes import Connection, Cursor
from .connection import psycopg2, sql, transaction

__all__ = ["as_bytes", "explain_unreadable", "in_own_encoding", "read_json", "read_name"]

SHARED_NAMES = """
    SELECT 'role', {role}, NULL::pg_catalog.bytea FROM pg_catalog.pg_roles
    UNION ALL SELECT 'tablespace', {tablespace}, NULL FROM pg_catalog.pg_tablespace
    UNION ALL SELECT 'database', {database}, NULL FROM pg_catalog.pg_database
    UNION ALL SELECT 'comment on database', {database}, {comment} FROM pg_catalog.pg_database
    WHERE pg_catalog.shobj_description(oid, 'pg_database') IS NOT NULL
    ORDER BY 1, 2"""


def as_bytes(expression: str) -> str:
    """SQL of a name or text as the bytes that it is stored in; read_name() makes text of what comes of it.

    Args:
        expression: SQL of type text or name.
    """
    # What it gives is plain for bytea's input, which knows a backslash only.
    return f"pg_catalog.replace({expression}::pg_catalog.text, E'\\\\', E'\\\\\\\\')::pg_catalog.bytea"


def read_name(cursor: Cursor, value: Any) -> str:
    r"""The text that was selected with as_bytes(); what is not of the database's encoding is written as \xe9."""
    return bytes(value).decode(_codec(cursor.connection), "backslashreplace")


def read_json(cursor: Cursor, value: Any) -> dict[str, str | None]:
    """An object of texts, as JSON, that was selected with as_bytes(); nothing where it was NULL."""
    if value is None:
        return {}
    codec = _codec(cursor.connection)
    read = json.loads(bytes(value).decode(codec, "surrogateescape"))
    return {
        name: None
        if text is None
        else text.encode(codec, "surrogateescape").decode(codec, "backslashreplace")
        for name, text in read.items()
    }


def in_own_encoding(cursor: Cursor) -> sql.Composed:
    """Option of COPY, in parentheses: text goes as the database has it, neither converted nor looked at.

    A database of SQL_ASCII holds any bytes, and gives none to a client of UTF8 that is not UTF-8 (manual,
    "Character Set Support").
    """
    return sql.SQL(" (ENCODING {})").format(
        sql.Literal(cursor.connection.info.parameter_status("server_encoding"))
    )


def explain_unreadable(connection: Connection, error: UnicodeDecodeError) -> RunbookError:
    """What to say of text that the server has given and that is not of the database's encoding.

    Args:
        connection: on which it was read.
    """
    with transaction(connection) as cursor:
        cursor.execute(
            SHARED_NAMES.format(
                role=as_bytes("rolname"),
                tablespace=as_bytes("spcname"),
                database=as_bytes("datname"),
                comment=as_bytes("pg_catalog.shobj_description(oid, 'pg_database')"),
            )
        )
        codec = _codec(connection)
        names = [
            f"{kind} {visible(read_name(cursor, name))}"
            for kind, name, text in cursor.fetchall()
            if not _readable(name if text is None else text, codec)
        ]
    encoding = connection.info.parameter_status("server_encoding")
    if not names:
        return StepFailed(
            "text_in_another_encoding",
            f"The server gave text that is not {encoding}, the encoding of the database ({error.reason}): of a session"
            " of another database, most likely. Type the same command again.",
        )
    return StepFailed(
        "text_in_another_encoding",
        f"What all databases of the server share has names that are not {encoding}, the encoding of this one:"
        f" {listed(names)}. One of them is needed here, and cannot be named here. Give it another name, or another"
        " comment, in a database whose encoding it was made in (ALTER ... RENAME TO ...), then type the same command"
        " again.",
        names=names,
    )


def _codec(connection: Connection) -> str:
    encoding = connection.info.parameter_status("server_encoding")
    # Any bytes, of which most will be this by now.
    return "utf-8" if encoding == "SQL_ASCII" else psycopg2.extensions.encodings.get(str(encoding), "utf-8")


def _readable(value: Any, codec: str) -> bool:
    try:
        bytes(value).decode(codec)
    except UnicodeDecodeError:
        return False
    return True
