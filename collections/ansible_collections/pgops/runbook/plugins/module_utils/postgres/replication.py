# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Logical replication out of a database and into it: neither goes along when another database takes its place.

Slots belong to the database in which they were made. A dump holds a subscription, but disabled, and with the name of
the very slot that the replaced database goes on reading from as long as its own subscription is enabled.
"""

from __future__ import annotations

from ..errors import Refused
from ..shapes import Connection, Cursor
from .connection import sql

__all__ = [
    "detach_subscriptions",
    "enabled_subscriptions",
    "read_replication",
    "refuse_enabled_subscriptions",
]

SUBSCRIPTIONS = """
    SELECT s.subname::text, s.subenabled FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d
    ON d.oid = s.subdbid WHERE d.datname = current_database() ORDER BY 1"""


def read_replication(cursor: Cursor) -> dict[str, list[str]]:
    """Of the cursor's database: slots (names) and subscriptions (names)."""
    cursor.execute(
        "SELECT slot_name::text FROM pg_catalog.pg_replication_slots WHERE database = current_database() ORDER BY 1"
    )
    slots = [name for (name,) in cursor.fetchall()]
    cursor.execute(SUBSCRIPTIONS)
    return {"slots": slots, "subscriptions": [name for name, _ in cursor.fetchall()]}


def enabled_subscriptions(cursor: Cursor) -> list[str]:
    """Names of the subscriptions of the cursor's database that receive changes, or would after COMMIT."""
    cursor.execute(SUBSCRIPTIONS)
    return [name for name, is_enabled in cursor.fetchall() if is_enabled]


def refuse_enabled_subscriptions(cursor: Cursor, database: str) -> None:
    """Rows would go on into the database that was replaced, and be missing in the restored one.

    Raises:
        Refused: with the statements that stop them.
    """
    enabled = enabled_subscriptions(cursor)
    if enabled:
        statements = " ".join(
            sql.SQL("ALTER SUBSCRIPTION {} DISABLE;").format(sql.Identifier(name)).as_string(cursor)
            for name in enabled
        )
        raise Refused(
            "subscriptions_enabled",
            f"Subscriptions write to {database} ({', '.join(enabled)}), and after the swap they would write to the"
            f" replaced database. Nothing was changed. Stop them there, then run again: {statements}",
        )


def detach_subscriptions(connection: Connection) -> None:
    """Drop the subscriptions of a copy, which cannot be dropped with them, and leave the slots at the publisher alone.

    Args:
        connection: to the copy, in autocommit mode.
    """
    with connection.cursor() as cursor:
        cursor.execute(SUBSCRIPTIONS)
        for name, enabled in cursor.fetchall():
            subscription = sql.Identifier(name)
            if enabled:
                cursor.execute(sql.SQL("ALTER SUBSCRIPTION {} DISABLE").format(subscription))
            # Without a slot's name, DROP SUBSCRIPTION reaches for none (manual, DROP SUBSCRIPTION, Notes).
            cursor.execute(sql.SQL("ALTER SUBSCRIPTION {} SET (slot_name = NONE)").format(subscription))
            cursor.execute(sql.SQL("DROP SUBSCRIPTION {}").format(subscription))
