# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Labels that people added, since the deploy, to an enum that a rollback drops; values of rows need them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..postgres.bisect import NotTaken
from ..postgres.connection import sql
from ..postgres.kept_names import object_of_application
from ..shapes import Catalog, Cursor

__all__ = ["add_labels_again", "labels_added_since"]


def labels_added_since(made: Catalog, now: Catalog) -> dict[str, list[list[str | None]]]:
    """What enums of a migration have got more since it made them.

    Args:
        made: what the migration added to the catalog, as it made it: key -> facts.
        now: the catalog before the rollback.

    Returns:
        dict key -> list of [label, the one before it or None], in their order.
    """
    additions = {}
    for key, facts in made.items():
        labels = now.get(key, {}).get("labels") or () if key.startswith("enum ") else ()
        added = [
            [label, labels[place - 1] if place else None]
            for place, label in enumerate(labels)
            if label not in facts["labels"]
        ]
        if added:
            additions[key] = added
    return additions


def add_labels_again(cursor: Cursor, key: str, labels: Iterable[Sequence[str | None]]) -> list[str]:
    """Add what people had added; a label that is there stays where it is.

    In the transaction that made the type the labels can be used at once (manual, "ALTER TYPE", Notes), but not when
    they were added behind a savepoint (measured on PostgreSQL 18); so nothing is tried here that could fail.

    Args:
        cursor: of a transaction.
        key: of the catalog, as it was kept.
        labels: as labels_added_since() gives them.

    Returns:
        list of str: sentences on what could not be.
    """
    try:
        name = object_of_application(cursor, "TYPE", key[len("enum ") :])
    except NotTaken as failure:
        return [failure.reason]
    present = _labels(cursor, name)
    for label, predecessor in labels:
        if label not in present:
            cursor.execute(
                sql.SQL("ALTER TYPE {} ADD VALUE {} {} {}").format(
                    name, sql.Literal(label), *_place(present, predecessor)
                )
            )
            present = _labels(cursor, name)
    return []


def _place(labels: Sequence[str], predecessor: str | None) -> tuple[sql.SQL, sql.Literal[str]]:
    """SQL: where a label goes; to the end, where the one before it is not there."""
    if predecessor is None:
        return sql.SQL("BEFORE"), sql.Literal(labels[0])
    return sql.SQL("AFTER"), sql.Literal(predecessor if predecessor in labels else labels[-1])


def _labels(cursor: Cursor, name: sql.Composable) -> list[str]:
    """Labels of the enum in their order."""
    cursor.execute(
        "SELECT enumlabel::text FROM pg_catalog.pg_enum WHERE enumtypid = to_regtype(%s) ORDER BY enumsortorder",
        (name.as_string(cursor),),
    )
    return [label for (label,) in cursor.fetchall()]
