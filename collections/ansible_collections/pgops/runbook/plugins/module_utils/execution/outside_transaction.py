# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Statements that PostgreSQL runs only outside of a transaction: did they take effect, and what did they leave?

Sources: the manual's pages of CREATE INDEX ("Building Indexes Concurrently"), REINDEX ("Rebuilding Indexes
Concurrently"), ALTER TABLE (DETACH PARTITION) and ALTER TYPE.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import StepFailed
from ..postgres.answers import one_row
from ..postgres.connection import sql
from ..postgres.script_session import on_our_path
from ..shapes import Cursor, Json, Statement

__all__ = ["after_failure", "after_success", "took_effect"]

# What REINDEX CONCURRENTLY leaves behind when it is killed.
LEFT_BY_REINDEX = r"_cc(new|old)\d*$"


def took_effect(cursor: Cursor, statement: Statement) -> bool:
    """Whether a statement that was begun, and not noted as done, has taken effect.

    Repairs what it left half done, so that it can be run again.

    Args:
        cursor: of a connection in autocommit mode.
        statement: dict with alone (the command's name) and object (what it is about, or None).
    """
    command, about = statement["outside_transaction"] or "", statement["object"] or {}
    if command == "CREATE INDEX CONCURRENTLY":
        return _index_is_valid(cursor, about) or _drop_invalid(cursor, about)
    if command == "DROP INDEX CONCURRENTLY":
        return not _index_exists(cursor, about)
    if command == "REINDEX CONCURRENTLY":
        return _drop_what_reindex_left(cursor)
    if command == "DETACH PARTITION CONCURRENTLY":
        return _finish_detach(cursor, about)
    if command.startswith("ALTER TYPE ADD VALUE"):
        cursor.execute(
            "SELECT pg_catalog.to_regtype(%s)::pg_catalog.oid::pg_catalog.int8",
            (_quoted(cursor, about["type"]),),
        )
        oid = one_row(cursor)[0]
        with on_our_path(cursor):
            cursor.execute(
                "SELECT EXISTS (SELECT FROM pg_catalog.pg_enum WHERE enumtypid = %s AND enumlabel = %s)",
                (oid, about["label"]),
            )
            return one_row(cursor)[0]
    # VACUUM and CLUSTER change nothing that running them again would not.
    return False


def after_failure(cursor: Cursor, statement: Statement) -> None:
    """Remove what a failed statement left behind; whether it took effect is not in question."""
    if statement["outside_transaction"] == "CREATE INDEX CONCURRENTLY":
        _drop_invalid(cursor, statement["object"] or {})
    elif statement["outside_transaction"] == "REINDEX CONCURRENTLY":
        _drop_what_reindex_left(cursor)


def after_success(cursor: Cursor, statement: Statement) -> None:
    """IF NOT EXISTS passes over an index of that name that an earlier failure left invalid.

    Raises:
        StepFailed: when the index is there and cannot be used.
    """
    about = statement["object"] or {}
    if statement["outside_transaction"] == "CREATE INDEX CONCURRENTLY" and not _index_is_valid(cursor, about):
        raise StepFailed(
            "invalid_index_in_the_way",
            f"Index {'.'.join(filter(None, about['index']))} exists and is invalid: an earlier failure outside of the"
            " runbook left it. DROP INDEX it, and deploy again.",
        )


def _quoted(cursor: Cursor, name: Sequence[str | None]) -> str:
    """``[schema or None, name]`` as text that to_regclass() and to_regtype() read."""
    return sql.Identifier(*filter(None, name)).as_string(cursor)


def _relation(cursor: Cursor, name: Sequence[str | None]) -> int | None:
    """OID of what the script finds under this name, or None."""
    cursor.execute(
        "SELECT pg_catalog.to_regclass(%s)::pg_catalog.oid::pg_catalog.int8", (_quoted(cursor, name),)
    )
    return one_row(cursor)[0]


def _index_exists(cursor: Cursor, about: Json) -> bool:
    return _relation(cursor, about["index"]) is not None


def _index_is_valid(cursor: Cursor, about: Json) -> bool:
    oid = _relation(cursor, about["index"])
    with on_our_path(cursor):
        cursor.execute(
            "SELECT indisvalid AND indisready FROM pg_catalog.pg_index WHERE indexrelid = %s", (oid,)
        )
        row = cursor.fetchone()
    return bool(row and row[0])


def _drop_invalid(cursor: Cursor, about: Json) -> bool:
    """Drop the index if it is there and invalid; always False: it must be built again."""
    if _index_exists(cursor, about) and not _index_is_valid(cursor, about):
        cursor.execute(
            sql.SQL("DROP INDEX CONCURRENTLY {}").format(sql.Identifier(*filter(None, about["index"])))
        )
    return False


def _drop_what_reindex_left(cursor: Cursor) -> bool:
    with on_our_path(cursor):
        cursor.execute(
            "SELECT n.nspname, c.relname FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
            " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            " WHERE NOT i.indisvalid AND c.relname ~ %s AND n.nspname <> 'pg_toast'",
            (LEFT_BY_REINDEX,),
        )
        left = cursor.fetchall()
    for name in left:
        cursor.execute(sql.SQL("DROP INDEX CONCURRENTLY {}").format(sql.Identifier(*name)))
    return False


def _finish_detach(cursor: Cursor, about: Json) -> bool:
    partition, table = (_relation(cursor, about[name]) for name in ("partition", "table"))
    with on_our_path(cursor):
        cursor.execute(
            "SELECT inhdetachpending FROM pg_catalog.pg_inherits WHERE inhrelid = %s AND inhparent = %s",
            (partition, table),
        )
        row = cursor.fetchone()
    if row is None:
        return True
    if row[0]:
        cursor.execute(
            sql.SQL("ALTER TABLE {} DETACH PARTITION {} FINALIZE").format(
                sql.Identifier(*filter(None, about["table"])),
                sql.Identifier(*filter(None, about["partition"])),
            )
        )
        return True
    return False
