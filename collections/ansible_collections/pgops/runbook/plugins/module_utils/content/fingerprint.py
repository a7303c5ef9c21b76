# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A fingerprint of the rows of every table, independent of their physical order and of session settings."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..activity import advance, begin
from ..errors import StepFailed
from ..postgres.answers import one_row
from ..postgres.application_tables import RELATIONS, SAVED, SAVED_ROWS, SEQUENCES, STORED, of_application
from ..postgres.connection import psycopg2, sql
from ..postgres.message import explain_error, too_long_as_text
from ..postgres.routed_rows import read_routed
from ..postgres.sequences import following_value
from ..postgres.session import pin_session, restore_session
from ..shapes import Content, Cursor
from .row_digest import digest_of_sums, row_text, sums

__all__ = [
    "StoredTable",
    "columns_before",
    "content_fingerprint",
    "stored_tables",
    "table_fingerprint",
    "table_fingerprints",
]


#: So many tables are locked at a time, by one session, while their rows are read.
LOCKED_AT_ONCE = 200

LOCKS_GIVEN_UP = "ROLLBACK TO SAVEPOINT runbook_reads; RELEASE SAVEPOINT runbook_reads"


@dataclass(frozen=True)
class StoredTable:
    """A relation that holds rows of its own.

    Attributes:
        oid: its OID.
        name: quoted, with its schema, as in the catalog's keys.
        kind: "table" or "materialized view".
        columns: names of its columns in their order.
        populated: false for a materialized view WITH NO DATA.
        condition: for the configuration table of an extension, which rows are the user's (pg_dump saves
            the same): empty or a WHERE clause, from pg_extension.extcondition.
        pages: its size by the planner's statistics, for distributing the work.
        whole: whether it is read with its partitions, being one whose rows a restore puts into others of them.
    """

    oid: int
    schema: str
    relation: str
    name: str
    kind: str
    columns: tuple[str, ...]
    populated: bool
    condition: str
    pages: int
    whole: bool = False

    def source(self) -> sql.Composable:
        """SQL of what its rows are read from."""
        name = sql.Identifier(self.schema, self.relation)
        return sql.SQL("{} {}" if self.whole else "ONLY {} {}").format(name, sql.SQL(self.condition))


def content_fingerprint(cursor: Cursor, only_columns: Mapping[str, Any] | None = None) -> Content:
    """Fingerprint the rows of every table, the sequences and the large objects of the current database.

    All of it in the cursor's transaction: with REPEATABLE READ in one snapshot. Partitions count, their
    parents hold no rows (but see stored_tables); foreign and temporary tables are left out, materialized views are not.

    Args:
        cursor: a psycopg2 cursor; in autocommit mode a BEGIN must have been sent.
        only_columns: an earlier fingerprint, or {table: [columns]}: only these tables and columns are
            read, so that the digests compare with the earlier ones. A column that is gone is named under
            "missing_columns".

    Returns:
        {"tables": {name: {"rows", "digest", "columns", "kind"}}, "sequences": {name: next value},
        "large_objects": {"count", "digest"}}, JSON-able.

    Raises:
        ValueError: in autocommit mode outside a transaction.
        psycopg2.Error: also when row security would hide rows from the role.
    """
    connection = cursor.connection
    if (
        connection.autocommit
        and connection.get_transaction_status() == psycopg2.extensions.TRANSACTION_STATUS_IDLE
    ):
        raise ValueError("content_fingerprint needs a transaction: in autocommit mode send BEGIN first")
    wanted = None if only_columns is None else columns_before(only_columns)
    with connection.cursor(cursor_factory=psycopg2.extensions.cursor) as own:
        previous = pin_session(own, local=True)
        tables = [table for table in stored_tables(own) if wanted is None or table.name in wanted]
        if tables:
            begin("reading tables", len(tables))
        result: dict[str, dict[str, Any]] = {
            "tables": dict(table_fingerprints(own, tables, wanted)),
            "sequences": _sequences(own),
            "large_objects": _large_objects(own),
        }
        restore_session(own, previous, local=True)
    return result


def table_fingerprints(
    cursor: Cursor, tables: Iterable[StoredTable], columns: Mapping[str, Sequence[str]] | None = None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and table_fingerprint() of one table after the other; to be gone through to its end.

    A transaction keeps the locks of what it has read, with all indexes, and the server has room for a few thousand
    (manual, max_locks_per_transaction). A savepoint that is rolled back gives them up, and the snapshot stays.

    Args:
        cursor: of a transaction that has written nothing since, pinned.
        columns: of each table, those that are read; None: all.
    """
    read = 0
    for table in tables:
        if read % LOCKED_AT_ONCE == 0:
            cursor.execute("SAVEPOINT runbook_reads")
        yield table.name, table_fingerprint(cursor, table, None if columns is None else columns[table.name])
        advance()
        read += 1
        if read % LOCKED_AT_ONCE == 0:
            cursor.execute(LOCKS_GIVEN_UP)
    if read % LOCKED_AT_ONCE:
        cursor.execute(LOCKS_GIVEN_UP)


def columns_before(earlier: Mapping[str, Any]) -> dict[str, list[str]]:
    """{table: [columns]} of an earlier fingerprint or catalog; such a mapping itself is returned as it is."""
    if isinstance(earlier.get("tables"), Mapping):
        return {name: list(facts["columns"]) for name, facts in earlier["tables"].items()}
    prefix = "column order "
    if any(key.startswith(prefix) for key in earlier):
        return {
            key[len(prefix) :]: [_unquoted(name) for name in facts["columns"]]
            for key, facts in earlier.items()
            if key.startswith(prefix)
        }
    return {name: list(columns) for name, columns in earlier.items()}


def stored_tables(cursor: Cursor) -> list[StoredTable]:
    """Every relation with rows of its own, largest first; an extension's tables only as far as pg_dump
    saves them (manual, "Extension Configuration Tables"). Where a restore may put the rows of a partitioned table into
    other partitions, that table stands for them."""
    routed = read_routed(cursor)
    below = [oid for oids in routed.values() for oid in oids]
    cursor.execute(
        "SELECT c.oid::bigint, n.nspname::text, c.relname::text,"
        " quote_ident(n.nspname) || '.' || quote_ident(c.relname), CASE c.relkind"
        " WHEN 'm' THEN 'materialized view' ELSE 'table' END,"
        " array(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0"
        f" AND NOT a.attisdropped ORDER BY a.attnum), c.relispopulated, {SAVED_ROWS}, c.relpages"
        f" FROM {RELATIONS} WHERE {of_application(STORED, members=SAVED)} AND c.oid <> ALL (%s::oid[])"
        " OR c.oid = ANY (%s::oid[]) ORDER BY c.relpages DESC, 2, 3",
        (below, list(routed)),
    )
    return [
        StoredTable(
            oid, schema, relation, name, kind, tuple(columns), populated, condition, pages, oid in routed
        )
        for oid, schema, relation, name, kind, columns, populated, condition, pages in cursor.fetchall()
    ]


def table_fingerprint(
    cursor: Cursor, table: StoredTable, columns: Sequence[str] | None = None
) -> dict[str, Any]:
    """Fingerprint one table's rows over the columns given (default: all) in a pinned session.

    Returns:
        {"rows", "digest", "columns", "kind"} and, where they apply, "missing_columns" and "populated".

    Raises:
        StepFailed: a row is longer as text than PostgreSQL can make one.
        psycopg2.Error: any other.
    """
    present = set(table.columns)
    read = [name for name in (columns if columns is not None else table.columns) if name in present]
    facts: dict[str, Any] = {"rows": 0, "digest": "", "columns": read, "kind": table.kind}
    missing = [name for name in columns or () if name not in present]
    if missing:
        facts["missing_columns"] = missing
    row_sums: tuple[Any, ...] = (0, None, None)
    if table.populated:
        row_sums = _sums_of_rows(cursor, table, read)
    else:
        facts["populated"] = False
    facts["rows"] = row_sums[0]
    facts["digest"] = digest_of_sums(row_sums)
    return facts


def _sums_of_rows(cursor: Cursor, table: StoredTable, columns: Sequence[str]) -> tuple[Any, ...]:
    try:
        cursor.execute(
            sql.SQL("SELECT {} FROM (SELECT {} AS line FROM {} OFFSET 0) AS rows").format(
                sums(), row_text(columns), table.source()
            )
        )
    except psycopg2.Error as error:
        if not too_long_as_text(error):
            raise
        code, said = explain_error(error)
        raise StepFailed(
            code, f"A row of {table.name} cannot be read: {said}", sqlstate=error.pgcode
        ) from error
    return one_row(cursor)


def _sequences(cursor: Cursor) -> dict[str, int]:
    """The next value of each sequence. Sequences are not transactional: it is the value of now."""
    cursor.execute(
        "SELECT n.nspname::text, c.relname::text, quote_ident(n.nspname) || '.' || quote_ident(c.relname),"
        f" s.seqincrement FROM {RELATIONS} JOIN pg_sequence s ON s.seqrelid = c.oid"
        f" WHERE {of_application(SEQUENCES, members=SAVED)} ORDER BY 1, 2"
    )
    sequences = cursor.fetchall()
    if not sequences:
        return {}
    cursor.execute(
        sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {}, {} FROM {}").format(
                sql.Literal(name), following_value(increment), sql.Identifier(schema, relation)
            )
            for schema, relation, name, increment in sequences
        )
    )
    return {name: int(value) for name, value in cursor.fetchall()}


_LARGE_OBJECT_SLICE = 64 * 1024 * 1024


def _large_objects(cursor: Cursor) -> dict[str, Any]:
    """Count and digest of all large objects: bytes, owner, privileges and comment."""
    cursor.execute(
        "SELECT count(*), has_table_privilege('pg_largeobject', 'SELECT') FROM pg_largeobject_metadata"
    )
    count, may_read_pages = one_row(cursor)
    if not count:
        return {"count": 0, "digest": hashlib.sha256(b"").hexdigest()}
    # lo_get() returns at most 1 GB, and reads the holes that a restore fills with zeros as zeros.
    slices = sql.SQL(
        "(SELECT max(pageno) FROM pg_largeobject p WHERE p.loid = m.oid)::bigint * 2048 / {}"
        if may_read_pages
        else "0 * {}"
    ).format(sql.Literal(_LARGE_OBJECT_SLICE))
    length = _LARGE_OBJECT_SLICE if may_read_pages else 1024 * 1024 * 1023
    cursor.execute(
        sql.SQL(
            "SELECT {} FROM (SELECT ROW(m.oid, m.lomowner::regrole,"
            " array(SELECT unnest(coalesce(m.lomacl, acldefault('L', m.lomowner)))::text ORDER BY 1),"
            " obj_description(m.oid, 'pg_largeobject'),"
            " array(SELECT sha256(lo_get(m.oid, s * {}, {})) FROM generate_series(0, coalesce({}, 0)) AS s"
            " ORDER BY s))::text AS line FROM pg_largeobject_metadata m OFFSET 0) AS objects"
        ).format(
            sums(),
            sql.Literal(length),
            sql.Literal(length),
            slices,
        )
    )
    return {"count": count, "digest": digest_of_sums(one_row(cursor))}


def _unquoted(identifier: str) -> str:
    if identifier.startswith('"') and identifier.endswith('"'):
        return identifier[1:-1].replace('""', '"')
    return identifier
