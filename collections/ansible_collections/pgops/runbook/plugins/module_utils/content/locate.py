# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where two databases' rows of a table differ: which columns, how many rows, which keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

from ..postgres.connection import sql
from ..postgres.keys import key_among
from ..shapes import Cursor
from .fingerprint import StoredTable
from .row_digest import bucket, bucket_sums_of, digest_of_sums, hash_of, row_text

__all__ = ["CHANGED", "GONE", "NEW", "OTHER", "LocatedRow", "LocatedRows", "locate"]

_FETCHED = 2000

# What is wrong with the rows of a key.
CHANGED = "changed"
GONE = "gone"
NEW = "new"
OTHER = "other rows of this key"  # where it is not unique in one of the databases

_Line = tuple[str, list[int]]  # key as text, a hash for each column
_Rows = tuple[str, "Counter[tuple[int, ...]]"]  # key, and how often each of its rows occurs
_Buckets = dict[int, tuple[Any, ...]]


@dataclass(frozen=True)
class LocatedRow:
    """A row that differs: the text of its key, what is wrong (CHANGED ...), and the columns that changed."""

    key: str
    problem: str
    columns: tuple[str, ...]


@dataclass
class LocatedRows:
    """Where a table differs; it holds values of keys, and no other.

    Attributes:
        digest_before: the digest of the table in the first database, as a fingerprint over the same columns has it.
        key_columns: what tells rows apart, in the order in which a key's text has its values; empty where nothing
            does: then a changed row counts as one that is gone and one that is new, and no key is named.
        changed, gone, new: numbers of rows.
        columns: in how many changed rows each column has another value; None where rows cannot be told apart.
        rows: the first of them.
    """

    digest_before: str
    key_columns: list[str]
    changed: int = 0
    gone: int = 0
    new: int = 0
    columns: dict[str, int | None] = field(default_factory=dict)
    rows: list[LocatedRow] = field(default_factory=list)


def locate(
    before: Cursor, after: Cursor, tables: Sequence[StoredTable], columns: Sequence[str], limit: int = 10
) -> LocatedRows:
    """Compare a table in two databases row by row, streaming, with bounded memory.

    Args:
        before, after: cursors of the two databases, in transactions with pinned sessions.
        tables: the table in each.
        columns: the columns to compare; both sides must have them.
        limit: how many rows to name.

    Raises:
        psycopg2.Error: when a column does not exist or may not be read.
        ValueError: when no columns are given.
    """
    if not columns:
        raise ValueError("locate needs columns to compare")
    key = sorted(key_among(after, tables[1].oid, columns) or ())
    sides = [_Side(cursor, table, columns, key or columns) for cursor, table in zip((before, after), tables)]
    sums_before, sums_after = (side.bucket_sums() for side in sides)
    located = LocatedRows(_whole_digest(sums_before), key)
    differing = sorted(
        number
        for number in sums_before.keys() | sums_after.keys()
        if sums_before.get(number) != sums_after.get(number)
    )
    if differing:
        pairs = _pairs(*(_by_key(side.lines(differing)) for side in sides))
        (_name_keys if key else _count_rows)(pairs, columns, located, limit)
    return located


class _Side:
    """The table in one of the databases."""

    def __init__(
        self, cursor: Cursor, table: StoredTable, columns: Sequence[str], key: Sequence[str]
    ) -> None:
        self._cursor = cursor
        self._columns = columns
        self._key = key
        # The condition comes from pg_extension, which only the superuser of the database writes.
        self._source = sql.SQL("(SELECT * FROM {}) AS source").format(table.source())

    def bucket_sums(self) -> _Buckets:
        self._cursor.execute(bucket_sums_of(self._columns, self._key, self._source))
        return {number: tuple(found) for number, *found in self._cursor.fetchall()}

    def lines(self, buckets: Sequence[int]) -> Iterator[_Line]:
        """Key and column hashes of the rows in these buckets, in the byte order of the key's text."""
        hashes = sql.SQL(", ").join(hash_of(row_text([name])) for name in self._columns)
        query = sql.SQL(
            'SELECT {} COLLATE "C" AS key, ARRAY[{}] AS hashes FROM {} WHERE {} = ANY (%s::bigint[]) ORDER BY 1'
        ).format(row_text(self._key), hashes, self._source, bucket(self._key))
        # A named cursor keeps the rows on the server and fetches them in portions.
        with self._cursor.connection.cursor("runbook_locate") as stream:
            stream.itersize = _FETCHED
            stream.execute(query, (list(buckets),))
            yield from stream


def _whole_digest(buckets: _Buckets) -> str:
    """The sums of all buckets are those of the table."""
    if not buckets:
        return digest_of_sums((0, None, None))
    # As integers: a Decimal would be rounded to 28 digits.
    return digest_of_sums([sum(map(int, column)) for column in zip(*buckets.values())])


_Pairs = Iterator[tuple[str, "Counter[tuple[int, ...]]", "Counter[tuple[int, ...]]"]]


def _name_keys(pairs: _Pairs, columns: Sequence[str], located: LocatedRows, limit: int) -> None:
    for key, was, is_ in pairs:
        if was == is_:
            continue
        changed: tuple[str, ...] = ()
        if sum(was.values()) == sum(is_.values()) == 1:
            (row_before,), (row_after,) = was, is_
            changed = tuple(name for n, name in enumerate(columns) if row_before[n] != row_after[n])
            located.changed += 1
            for name in changed:
                located.columns[name] = (located.columns.get(name) or 0) + 1
            problem = CHANGED
        else:
            gone, new = sum((was - is_).values()), sum((is_ - was).values())
            located.gone += gone
            located.new += new
            problem = GONE if not new else NEW if not gone else OTHER
        if len(located.rows) < limit:
            located.rows.append(LocatedRow(key, problem, changed))


def _count_rows(pairs: _Pairs, columns: Sequence[str], located: LocatedRows, _limit: int) -> None:
    """Of rows without a key: how many, and the columns whose values are not the same ones on both sides."""
    balance = [0] * len(columns)
    for _, was, is_ in pairs:
        for rows, sign in ((was - is_, 1), (is_ - was, -1)):
            for hashes, count in rows.items():
                balance = [total + sign * count * value for total, value in zip(balance, hashes)]
        located.gone += sum((was - is_).values())
        located.new += sum((is_ - was).values())
    located.columns = {name: None for name, total in zip(columns, balance) if total}


def _by_key(lines: Iterator[_Line]) -> Iterator[_Rows]:
    """Rows of one key counted, so that a million equal rows of a table without key take no memory."""
    for key, rows in groupby(lines, key=itemgetter(0)):
        yield key, Counter(tuple(hashes) for _, hashes in rows)


def _pairs(before: Iterator[_Rows], after: Iterator[_Rows]) -> _Pairs:
    """Merge two streams in the order of their keys."""
    was, is_ = next(before, None), next(after, None)
    while was is not None or is_ is not None:
        # The C collation of UTF-8 is the order of code points, in which Python compares.
        if was is not None and (is_ is None or was[0] < is_[0]):
            yield was[0], was[1], Counter()
            was = next(before, None)
        elif is_ is not None and (was is None or is_[0] < was[0]):
            yield is_[0], Counter(), is_[1]
            is_ = next(after, None)
        elif was is not None and is_ is not None:
            yield was[0], was[1], is_[1]
            was, is_ = next(before, None), next(after, None)
