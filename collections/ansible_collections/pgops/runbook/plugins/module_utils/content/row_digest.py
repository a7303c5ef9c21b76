# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The digest of rows: their number and two sums of 64-bit hashes of their texts, in whatever order they come.

Manifests of backups, receipts and salvage hold such digests: whoever changes a character here makes all of them
incomparable with what was kept before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from ..postgres.connection import sql

__all__ = [
    "BUCKETS",
    "SEEDS",
    "bucket",
    "bucket_sums_of",
    "digest_of_sums",
    "hash_of",
    "row_text",
    "sums",
    "sums_as_text",
]

# Two independent 64-bit hashes of a row's text. Their sums over all rows are exact (numeric), so that equal
# rows do not cancel out and no order matters; equal sums of different contents need a 128-bit coincidence.
SEEDS = (0, 7046029254386353131)

# Rows fall into buckets by the hash of their key; only buckets whose sums differ are read row by row.
BUCKETS = 4096
BUCKET_SEED = 3


def row_text(columns: Sequence[str], alias: str | None = None) -> sql.Composable:
    """SQL expression for an unambiguous text of a row: record output quotes what needs it and writes NULL
    as nothing, the empty string as "" (manual, "Composite Type Input and Output Syntax").

    The columns go in the order of their names: their order in the table is schema, not content.
    """
    identifiers = [sql.Identifier(alias, name) if alias else sql.Identifier(name) for name in sorted(columns)]
    return sql.SQL("ROW({})::text").format(sql.SQL(", ").join(identifiers))


def hash_of(text: sql.Composable, seed: int = SEEDS[0]) -> sql.Composable:
    """SQL expression for the 64-bit hash of a text, given as an SQL expression."""
    # The C collation: a nondeterministic one would give different texts the same hash.
    return sql.SQL('pg_catalog.hashtextextended({} COLLATE "C", {})').format(text, sql.Literal(seed))


def sums(line: str = "line") -> sql.Composable:
    """SQL aggregates over rows whose text is the column ``line``: their number and both sums, three values."""
    hashes = [sql.SQL("sum({})").format(hash_of(sql.Identifier(line), seed)) for seed in SEEDS]
    return sql.SQL("count(*), {}").format(sql.SQL(", ").join(hashes))


def sums_as_text(line: str = "line") -> sql.Composable:
    """SQL aggregate: the same as one text, as salvage keeps it; of no rows it is ``0``."""
    return sql.SQL("pg_catalog.concat_ws(':', {})").format(sums(line))


def digest_of_sums(values: Sequence[object]) -> str:
    """SHA-256 in hex of what ``sums`` gave, as a fingerprint holds it; of no rows they are 0, None, None."""
    return hashlib.sha256(":".join(map(str, values)).encode("ascii")).hexdigest()


def bucket_sums_of(columns: Sequence[str], key: Sequence[str], source: sql.Composable) -> sql.Composable:
    """Query for number and sums of hashes of the rows in each bucket: (bucket, *sums), in a pinned session.

    Args:
        columns, key: of the rows; those that tell them apart, or all.
        source: FROM clause.
    """
    return sql.SQL(
        "SELECT bucket, {} FROM (SELECT {} AS bucket, {} AS line FROM {} OFFSET 0) AS rows GROUP BY bucket"
    ).format(sums(), bucket(key), row_text(columns), source)


def bucket(columns: Sequence[str]) -> sql.Composable:
    """SQL expression for the number of a row's bucket, from the values of these columns: its key."""
    return sql.SQL("({} & {})").format(hash_of(row_text(columns), BUCKET_SEED), sql.Literal(BUCKETS - 1))
