# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where two databases' rows of a table differ: which columns, how many rows, which keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import cursor as plain_cursor

from ..postgres.session import pin_session, restore_session
from .row_digest import bucket, hash_of, row_text, sums

__all__ = ["locate", "primary_key"]

_FETCHED = 2000

_Line = tuple[str, list[int]]  # key as text, a hash for each column
_Rows = tuple[str, "Counter[tuple[int, ...]]"]  # key, and how often each of its rows occurs


def locate(
    cursor_a: Any,
    cursor_b: Any,
    table: tuple[str, str],
    columns: Sequence[str],
    key_columns: Sequence[str] | None = None,
    limit: int = 10,
) -> dict[str, Any]:
    """Compare a table in two databases row by row, streaming, with bounded memory.

    Args:
        cursor_a: a cursor of the first database ("before"), in a transaction.
        cursor_b: a cursor of the second ("after"), in a transaction.
        table: schema and name, unquoted.
        columns: the columns to compare; both sides must have them.
        key_columns: what tells rows apart; None: the primary key of the first side, or without one all of
            the columns, so that a changed row counts as one row gone and one row new.
        limit: how many keys to name.

    Returns:
        {"changed": rows, "only_before": rows, "only_after": rows, "columns": {column: changed rows},
        "keys": [{"key", "problem", "columns"}, …]}; a key is written as PostgreSQL writes a record.

    Raises:
        psycopg2.Error: when a column does not exist or may not be read.
        ValueError: when no columns are given.
    """
    if not columns:
        raise ValueError("locate needs columns to compare")
    previous = [(cursor, pin_session(cursor, local=True)) for cursor in (cursor_a, cursor_b)]
    keys = list(key_columns or primary_key(cursor_a, table) or columns)
    before, after = (_bucket_sums(cursor, table, columns, keys) for cursor in (cursor_a, cursor_b))
    differing = sorted(
        number for number in before.keys() | after.keys() if before.get(number) != after.get(number)
    )
    found: dict[str, Any] = {"changed": 0, "only_before": 0, "only_after": 0, "columns": {}, "keys": []}
    if differing:
        _merge(
            _lines(cursor_a, table, columns, keys, differing),
            _lines(cursor_b, table, columns, keys, differing),
            columns,
            found,
            limit,
        )
    for cursor, settings in previous:
        restore_session(cursor, settings, local=True)
    return found


def primary_key(cursor: Any, table: tuple[str, str]) -> list[str]:
    """Columns of the table's primary key in their order; empty without one."""
    with cursor.connection.cursor(cursor_factory=plain_cursor) as own:
        own.execute(
            "SELECT a.attname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
            " JOIN pg_namespace n ON n.oid = c.relnamespace,"
            " unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, position)"
            " JOIN pg_attribute a ON a.attnum = k.number"
            " WHERE n.nspname = %s AND c.relname = %s AND i.indisprimary AND a.attrelid = c.oid"
            " AND k.position <= i.indnkeyatts ORDER BY k.position",
            table,
        )
        return [name for (name,) in own.fetchall()]


def _bucket_sums(
    cursor: Any, table: tuple[str, str], columns: Sequence[str], keys: Sequence[str]
) -> dict[int, tuple[Any, ...]]:
    with cursor.connection.cursor(cursor_factory=plain_cursor) as own:
        own.execute(
            sql.SQL(
                "SELECT bucket, {} FROM (SELECT {} AS bucket, {} AS line FROM ONLY {} OFFSET 0) AS rows"
                " GROUP BY bucket"
            ).format(sums(), bucket(keys), row_text([*keys, *columns]), sql.Identifier(*table))
        )
        return {number: tuple(found) for number, *found in own.fetchall()}


def _lines(
    cursor: Any, table: tuple[str, str], columns: Sequence[str], keys: Sequence[str], buckets: Sequence[int]
) -> Iterator[_Line]:
    """Key and column hashes of the rows in these buckets, in the byte order of the key's text."""
    hashes = sql.SQL(", ").join(hash_of(row_text([name])) for name in columns)
    query = sql.SQL(
        'SELECT {} COLLATE "C" AS key, ARRAY[{}] AS hashes FROM ONLY {} WHERE {} = ANY (%s::bigint[])'
        " ORDER BY 1"
    ).format(row_text(keys), hashes, sql.Identifier(*table), bucket(keys))
    # A named cursor keeps the rows on the server and fetches them in portions.
    with cursor.connection.cursor("runbook_locate", cursor_factory=plain_cursor) as stream:
        stream.itersize = _FETCHED
        stream.execute(query, (list(buckets),))
        yield from stream


def _merge(
    before: Iterator[_Line], after: Iterator[_Line], columns: Sequence[str], found: dict[str, Any], limit: int
) -> None:
    for key, was, is_ in _pairs(_by_key(before), _by_key(after)):
        if was == is_:
            continue
        changed: list[str] = []
        if sum(was.values()) == sum(is_.values()) == 1:
            (row_before,), (row_after,) = was, is_
            changed = [name for n, name in enumerate(columns) if row_before[n] != row_after[n]]
            found["changed"] += 1
            for name in changed:
                found["columns"][name] = found["columns"].get(name, 0) + 1
            problem = "changed"
        else:
            # Without a unique key, equal rows on both sides belong together.
            gone, new = sum((was - is_).values()), sum((is_ - was).values())
            found["only_before"] += gone
            found["only_after"] += new
            problem = "only before" if not new else "only after" if not gone else "other rows of this key"
        if len(found["keys"]) < limit:
            found["keys"].append({"key": key, "problem": problem, "columns": changed})


def _by_key(lines: Iterator[_Line]) -> Iterator[_Rows]:
    """Rows of one key counted, so that a million equal rows of a table without key take no memory."""
    for key, rows in groupby(lines, key=itemgetter(0)):
        yield key, Counter(tuple(hashes) for _, hashes in rows)


def _pairs(
    before: Iterator[_Rows], after: Iterator[_Rows]
) -> Iterator[tuple[str, Counter[tuple[int, ...]], Counter[tuple[int, ...]]]]:
    """Merge two streams in the order of their keys."""
    was, is_ = next(before, None), next(after, None)
    while was is not None or is_ is not None:
        # The C collation of UTF-8 is the order of code points, in which Python compares.
        if is_ is None or (was is not None and was[0] < is_[0]):
            yield was[0], was[1], Counter()
            was = next(before, None)
        elif was is None or is_[0] < was[0]:
            yield is_[0], Counter(), is_[1]
            is_ = next(after, None)
        else:
            yield was[0], was[1], is_[1]
            was, is_ = next(before, None), next(after, None)
