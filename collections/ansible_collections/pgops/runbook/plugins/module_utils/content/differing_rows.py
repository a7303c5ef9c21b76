# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which rows, which columns: what a person asks when a copy has not the data that it should have.

The rows that it should have are no more: the snapshot of the backup has ended, and the copy itself was changed. What
is there is production, as it is now. Whether that is the same is no guess: the digest of the table in production is
compared with the one that the copy should have. Where it is the same, the rows that are named are the very ones;
where it is not, rows that users have written in the meantime are among them, and the answer says so.

Read are both databases, once more and only after a refusal. Of their rows only values of keys are told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ..postgres.answers import one_row
from ..postgres.connection import psycopg2, transaction
from ..postgres.message import one_line
from ..postgres.session import pin_session
from ..sentences import listed
from ..shapes import Connection, Cursor
from .fingerprint import StoredTable, stored_tables
from .locate import locate

__all__ = ["differing_rows", "in_words"]

# Each of them is read through in production once more; of the others it is said that they were not.
TABLES_LOOKED_AT = 10
KEYS_NAMED = 10
COLUMNS_NAMED = 10

# Whoever waits for a table of production behind us waits no longer than for any other step of the runbook.
LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"


def differing_rows(
    production: Connection | None,
    copy: Connection,
    expected: Mapping[str, Any],
    problems: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Find, in tables that differ, the rows that do.

    Args:
        production: idle connection to the database that the copy was made from; None: there is none to ask.
        copy: idle connection to the copy.
        expected: the content fingerprint that the copy should have.
        problems: what content.difference.difference() found between it and the copy's.

    Returns:
        for each table that both have: {"table", "compared": time of production's rows, "as_expected": whether
        production still has the rows that the copy should have, "changed", "gone", "new": numbers of rows (gone:
        missing in the copy), "columns": {name: changed rows, or null where rows have no key}, "key_columns", "keys":
        [{"key", "problem", "columns"}, ...]}; or {"table", "not_compared": why}, as of all behind the first
        TABLES_LOOKED_AT.
    """
    if production is None:
        return []
    names = [
        problem["table"]
        for problem in problems
        if problem["table"] in expected["tables"]
        and None not in (problem["rows_before"], problem["rows_after"])
    ]
    return [
        {"table": name, **_compared(production, copy, name, expected["tables"][name])}
        for name in names[:TABLES_LOOKED_AT]
    ] + [
        {"table": name, "not_compared": f"the rows of {TABLES_LOOKED_AT} tables before it were"}
        for name in names[TABLES_LOOKED_AT:]
    ]


def _compared(
    production: Connection, copy: Connection, name: str, expected: Mapping[str, Any]
) -> dict[str, Any]:
    columns = list(expected["columns"])
    try:
        with _reading(production) as there, _reading(copy) as here:
            tables = [
                table for cursor in (there, here) for table in stored_tables(cursor) if table.name == name
            ]
            obstacle = _obstacle(tables, columns)
            if obstacle:
                return {"not_compared": obstacle}
            there.execute("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')")
            (time,) = one_row(there)
            located = locate(there, here, tables, columns, limit=KEYS_NAMED)
    except psycopg2.Error as error:
        # The refusal stands without it.
        return {"not_compared": one_line(error)}
    return {
        "compared": time,
        "as_expected": located.digest_before == expected["digest"],
        "changed": located.changed,
        "gone": located.gone,
        "new": located.new,
        "columns": located.columns,
        "key_columns": located.key_columns,
        "keys": [
            {"key": row.key, "problem": row.problem, "columns": list(row.columns)} for row in located.rows
        ],
    }


@contextmanager
def _reading(connection: Connection) -> Iterator[Cursor]:
    """A cursor that sees one state of the database, however often it reads, and writes nothing."""
    with transaction(connection) as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute(LOCK_TIMEOUT)
        pin_session(cursor, local=True)
        yield cursor


def _obstacle(tables: Sequence[StoredTable], columns: Sequence[str]) -> str | None:
    """Why the two cannot be compared; an earlier migration of the chain may have made what production lacks."""
    if len(tables) != 2 or not all(set(columns) <= set(table.columns) for table in tables):
        return "production has no such table, or not these columns"
    if not all(table.populated for table in tables):
        return "the materialized view is not populated"
    return None if columns else "the table has no columns"


def in_words(entries: Sequence[Mapping[str, Any]], table: str) -> str:
    """What differing_rows() found in a table, as the end of a clause about it; empty where it did not look.

    For example ``: 3 rows changed in name, (id) = (7), (8), (9)``.
    """
    entry = next((entry for entry in entries if entry["table"] == table), None)
    if entry is None:
        return ""
    if "not_compared" in entry:
        return f" (nothing tells which rows: {entry['not_compared']})"
    if not (entry["changed"] or entry["gone"] or entry["new"]):
        return f" (production has the rows of the copy by now, {entry['compared']})"
    caveat = (
        ""
        if entry["as_expected"]
        else f" (compared with production at {entry['compared']}: what was written there since is among them)"
    )
    return f": {_counts(entry)}{_keys(entry)}{caveat}"


def _counts(entry: Mapping[str, Any]) -> str:
    columns = listed(sorted(entry["columns"]), COLUMNS_NAMED, ", ")
    counts = [
        f"{entry[kind]} {'row' if entry[kind] == 1 else 'rows'} {kind}{f' in {columns}' if kind == 'changed' else ''}"
        for kind in ("changed", "gone", "new")
        if entry[kind]
    ]
    if columns and not entry["key_columns"]:
        counts.append(f"no key tells them apart, and the values differ in {columns}")
    return ", ".join(counts)


def _keys(entry: Mapping[str, Any]) -> str:
    if not entry["keys"]:
        return ""
    total = entry["changed"] + entry["gone"] + entry["new"]
    keys = [row["key"] for row in entry["keys"]]
    return f", ({', '.join(entry['key_columns'])}) = {listed(keys, len(keys), ', ', total)}"
