# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Putting salvage back without deleting what it does not speak of.

What users had deleted goes once more, and no more than that. A row that goes besides, by a cascade for one, is
somebody's, and no rehearsal of the migration's own work shows it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import StepFailed
from ..postgres.answers import one_row
from ..postgres.application_tables import in_schemas
from ..postgres.connection import sql
from ..salvage.returning.returner import SalvageReturner
from ..salvage.store.items import LABELS
from ..sentences import listed
from ..shapes import Cursor, TableName

__all__ = ["put_back_salvage", "refuse_losses"]

# Deletions that were undone by a savepoint are among them. Partitions count as their topmost table.
DELETED = f"""
    SELECT root.oid::bigint, sum(s.n_tup_del)::bigint FROM pg_catalog.pg_stat_xact_user_tables s
    CROSS JOIN LATERAL (SELECT coalesce(pg_catalog.pg_partition_root(s.relid), s.relid)::oid) AS root (oid)
    WHERE s.n_tup_del > 0 AND {in_schemas(name="s.schemaname")} GROUP BY 1"""

NAMES = """
    SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid::bigint = ANY (%s)"""

SAVEPOINT = "runbook_salvage_return"


def put_back_salvage(
    cursor: Cursor, returner: SalvageReturner, one_by_one: bool
) -> tuple[list[dict[str, Any]], dict[TableName, int]]:
    """Put back what the returner has chosen, unless rows go that are none of it.

    Args:
        cursor: of the transaction.
        returner: has chosen its items.
        one_by_one: whether the transaction is committed although there are losses.

    Returns:
        (what returner.after() says, losses): losses are rows by table; where there are any, nothing was put back, or
        the transaction has to be undone.
    """
    before = _deleted(cursor)
    # A label that a savepoint adds to a type of the same transaction cannot be used in it.
    undoable = one_by_one or not any(item["kind"] == LABELS for item in returner.items)
    if undoable:
        cursor.execute(f"SAVEPOINT {SAVEPOINT}")
    returned = returner.after()
    suspects = _suspects(cursor, returned, before)
    if not undoable:
        return returned, {name: rows for name, (rows, _) in suspects.items()}
    if not suspects:
        cursor.execute(f"RELEASE SAVEPOINT {SAVEPOINT}")
        return returned, {}
    # How many there are now and how many there were tells deletions from attempts.
    now = {name: _count(cursor, name) for name in suspects}
    cursor.execute(f"ROLLBACK TO SAVEPOINT {SAVEPOINT}")
    gone = {name: _count(cursor, name) - rows for name, rows in now.items()}
    losses = {name: rows for name, rows in gone.items() if rows > suspects[name][1]}
    return ([], losses) if losses else (returner.after(), {})


def refuse_losses(version: str, losses: dict[TableName, int]) -> None:
    """
    Raises:
        StepFailed: where there are any.
    """
    if losses:
        lines = [f"{rows} rows of {'.'.join(name)}" for name, rows in sorted(losses.items())]
        raise StepFailed(
            "salvage_would_delete_rows",
            f"Putting back what the rollback of {version} had kept would delete {listed(lines)}, of which nothing was"
            " kept. With -e restore_salvage=false the migration is deployed, and the salvage stays where it is.",
        )


def _deleted(cursor: Cursor) -> dict[int, int]:
    cursor.execute(DELETED)
    return dict(cursor.fetchall())


def _suspects(
    cursor: Cursor, returned: Iterable[dict[str, Any]], before: dict[int, int]
) -> dict[TableName, tuple[int, int]]:
    """Tables from which more rows were deleted than went back: name -> (how many were, how many may be)."""
    deleted = {oid: rows - before.get(oid, 0) for oid, rows in _deleted(cursor).items()}
    may_go: dict[str, int] = {}
    for item in returned:
        may_go[item["table"]] = may_go.get(item["table"], 0) + item["returned"]
    suspects: dict[TableName, tuple[int, int]] = {}
    for oid, rows in deleted.items():
        if rows > 0:
            cursor.execute(NAMES, ([oid],))
            for name in cursor.fetchall():
                allowed = may_go.get(".".join(name), 0)
                if rows > allowed:
                    suspects[name] = rows, allowed
    return suspects


def _count(cursor: Cursor, name: TableName) -> int:
    cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(*name)))
    return one_row(cursor)[0]
