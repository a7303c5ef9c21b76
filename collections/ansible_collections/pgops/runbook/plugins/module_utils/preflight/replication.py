# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run does to those who receive the server's WAL: standbys that lag, and slots that would be lost."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import Refused
from ..postgres.answers import one_row
from ..postgres.connection import connect, sql, transaction
from ..postgres.standbys import (
    ON_SERVER_OF_COPY,
    may_see_standbys,
    read_standbys,
    refuse_endless_commit,
)
from ..sentences import listed
from ..shapes import Cursor, Json, Target

__all__ = [
    "LAG_SPEC",
    "SLOT_SPEC",
    "look_at_server_of_copy",
    "look_at_slots",
    "look_at_standbys",
    "wal_of_rehearsal",
]

# As much WAL as a server keeps for nobody by default (max_wal_size, 1 GB): of a standby that is further behind and has
# no slot, the next checkpoint may remove what it still needs, and a migration only adds to it.
LAG_SPEC = {"max_replica_lag_mb": {"type": "float", "default": 1024}}

SLOT_SPEC = {"accept_slot_loss": {"type": "bool", "default": False}}

MEGABYTE = 2**20

# safe_wal_size is what may be written until the slot is in danger of being lost; without max_slot_wal_keep_size it is
# NULL, and so it is for one that is lost already (manual, "pg_replication_slots").
SLOTS = """
    SELECT slot_name::text, safe_wal_size, wal_status FROM pg_catalog.pg_replication_slots
    WHERE safe_wal_size < %s ORDER BY 1"""


def look_at_standbys(cursor: Cursor, max_lag_mb: float, refuses: bool) -> list[str]:
    """Whether standbys keep up.

    Args:
        max_lag_mb: MB of WAL that a connected one may be behind; 0 is no limit.
        refuses: whether one that is further behind is a refusal; else it is a sentence.

    Returns:
        sentences for the person who runs this.

    Raises:
        Refused: naming those that are too far behind.
    """
    standbys = read_standbys(cursor)
    if not standbys or max_lag_mb <= 0:
        return []
    if not may_see_standbys(cursor):
        return [_hidden(cursor, len(standbys))]
    late = [one for one in standbys if (one.behind or 0) > max_lag_mb * MEGABYTE]
    if not late:
        return []
    lags = listed(
        [f"{one.name} is {(one.behind or 0) / MEGABYTE:.1f} MB behind ({one.state})" for one in late]
    )
    what = f"Standbys lag by more than {max_lag_mb:g} MB of WAL: {lags}"
    if not refuses:
        return [what]
    raise Refused(
        "replica_lags",
        f"{what}. What a migration writes comes on top of it. Wait until they have caught up (pg_stat_replication shows"
        " it), then type the same command again; for a standby that lags on purpose: -e max_replica_lag_mb=0 (no"
        " limit)",
    )


def _hidden(cursor: Cursor, count: int) -> str:
    """What is not known because it is not shown."""
    cursor.execute("SELECT current_user::text")
    role = one_row(cursor)[0]
    grant = sql.SQL("GRANT pg_read_all_stats TO {}").format(sql.Identifier(role)).as_string(cursor)
    receivers = "the connected receiver" if count == 1 else f"the {count} connected receivers"
    return (
        f"Role {role} is not shown how far {receivers} of WAL got, so that nothing is known of a lag. A superuser"
        f" types: {grant}"
    )


def look_at_server_of_copy(
    target: Target, database_bytes: int, accept: bool, tries: bool = True
) -> list[str]:
    """Whether the backup can be restored into a copy there without harm to those who receive that server's WAL.

    Args:
        target: connection options of the server. Not production's session, whose COMMIT may wait for no standby.
        database_bytes: size of what is restored, which writes about as much WAL.
        accept: whether a slot may be lost.
        tries: see endless_commit.

    Returns:
        sentences for the person who runs this.

    Raises:
        Refused: COMMIT would wait without an end there, or slots would be lost.
    """
    connection = connect(target)
    try:
        with transaction(connection) as cursor:
            refuse_endless_commit(cursor, where=ON_SERVER_OF_COPY, tries=tries)
            return look_at_slots(
                cursor, database_bytes, "The copy on which the backup is proven takes about", accept
            )
    finally:
        connection.close()


def look_at_slots(cursor: Cursor, wal_bytes: int, what: str, accept: bool) -> list[str]:
    """Whether replication slots survive as much WAL.

    Args:
        wal_bytes: what is going to be written.
        what: that in words.
        accept: whether a slot may be lost.

    Returns:
        sentences for the person who runs this.

    Raises:
        Refused: naming the slots.
    """
    cursor.execute(SLOTS, (wal_bytes,))
    slots = [
        f"{name} ({max(0, safe) / MEGABYTE:.1f} MB to go, wal_status {status})"
        for name, safe, status in cursor.fetchall()
    ]
    if not slots:
        return []
    sentence = (
        f"{what} {wal_bytes / MEGABYTE:.1f} MB of WAL, more than these replication slots survive:"
        f" {listed(slots)}"
    )
    if accept:
        return [sentence]
    raise Refused(
        "slot_would_be_lost",
        f"{sentence}. Whoever reads from one that is lost has to be built anew. Let its reader catch up, or a superuser"
        " types: ALTER SYSTEM SET max_slot_wal_keep_size = ...; SELECT pg_reload_conf(); then type the same command"
        " again. If it may be lost: -e accept_slot_loss=true",
    )


def wal_of_rehearsal(evidence: Iterable[Json]) -> int:
    """Bytes of WAL that migrations wrote on the copy, with what goes back of the salvage where there is any."""
    return sum((proof.get("impact_with_salvage") or proof["impact"])["wal_bytes"] for proof in evidence)
