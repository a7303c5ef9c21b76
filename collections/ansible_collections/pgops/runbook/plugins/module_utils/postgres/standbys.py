# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who receives the server's WAL: whether a COMMIT has to wait for one that is not there, and how far each is behind."""

from __future__ import annotations

import concurrent.futures
import re
from typing import NamedTuple, Optional

from ..errors import Refused
from ..shapes import Connection, Cursor
from .answers import one_row
from .connection import connect_again

__all__ = [
    "ON_SERVER_OF_COPY",
    "Standby",
    "commit_without_standbys",
    "endless_commit",
    "may_see_standbys",
    "position_now",
    "read_standbys",
    "refuse_endless_commit",
    "standbys_asked_for",
]

# Straight from the server's memory: what pg_stat_replication joins is frozen for the rest of a transaction (manual,
# "The Cumulative Statistics System"). Who only makes a base backup is no standby.
WAL_SENDERS = """
    SELECT coalesce(nullif(a.application_name, ''), 'pid ' || s.pid), s.state, s.sync_state,
           greatest(0, pg_catalog.pg_wal_lsn_diff(
               coalesce(%s::pg_lsn, pg_catalog.pg_current_wal_lsn()),
               coalesce(s.replay_lsn, s.flush_lsn, s.write_lsn, s.sent_lsn)))::bigint,
           greatest(0, extract(epoch FROM pg_catalog.clock_timestamp() - s.reply_time))::float8
    FROM pg_catalog.pg_stat_get_wal_senders() AS s LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = s.pid
    WHERE s.state IS DISTINCT FROM 'backup' ORDER BY 1, s.pid"""

# Values of synchronous_commit at which COMMIT waits for no standby (manual, "Write Ahead Log", synchronous_commit).
WAITS_FOR_NONE = ("off", "local")

ASKED_FOR = """
    SELECT pg_catalog.current_setting('synchronous_standby_names'),
           pg_catalog.current_setting('synchronous_commit'), pg_catalog.current_setting('max_wal_senders')::int"""

# FIRST 2 (a, b), ANY 2 (a, b), and the older 2 (a, b); a list without brackets asks for one (manual, "Primary Server",
# synchronous_standby_names). A standby whose name begins like that has to be quoted there.
NUMBER_ASKED_FOR = re.compile(r"\s*(?:(?:FIRST|ANY)\s+)?(\d+)\s*\(", re.IGNORECASE)


# How long a COMMIT may wait where nothing but trying tells whether it comes back.
TRIAL_SECONDS: float = 10

#: A standby that has said nothing for so long may have stopped: it tells how far it is each time WAL arrives, and every
#: ten seconds without (manual, "Replication", wal_receiver_status_interval). The server gives it up a minute later.
SILENT_SECONDS: float = 5

#: Which server a refusal is about, where that is not the target's.
ON_SERVER_OF_COPY = "On the server where the copy is made, "


class Standby(NamedTuple):
    """One receiver of WAL, as far as the role may see it.

    Attributes:
        name: its application_name, or the pid of the server's process for it.
        state: streaming, catchup ...; None where the role may not see it.
        sync_state: sync, quorum, potential or async; likewise.
        behind: bytes of WAL that it has not replayed (not received, where it replays none); None where it has told
            nothing yet, or likewise.
        silent: seconds since it has said anything; None likewise.
    """

    name: str
    state: Optional[str]
    sync_state: Optional[str]
    behind: Optional[int]
    silent: Optional[float] = None


def may_see_standbys(cursor: Cursor) -> bool:
    """Whether the role is shown more of pg_stat_replication than that there is somebody.

    PostgreSQL manual, "Viewing Statistics".
    """
    cursor.execute("SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')")
    return one_row(cursor)[0]


def position_now(cursor: Cursor) -> str:
    """The end of the WAL (an LSN as text): all that is committed by now comes before it."""
    cursor.execute("SELECT pg_catalog.pg_current_wal_insert_lsn()::text")
    return one_row(cursor)[0]


def read_standbys(cursor: Cursor, position: str | None = None) -> list[Standby]:
    """Who is connected.

    Args:
        position: LSN from which ``behind`` is counted; by default the end of what is written.
    """
    cursor.execute(WAL_SENDERS, (position,))
    return [Standby(*row) for row in cursor.fetchall()]


def standbys_asked_for(names: str) -> int:
    """How many standbys have to confirm a COMMIT, by the text of synchronous_standby_names."""
    if not names.strip():
        return 0
    number = NUMBER_ASKED_FOR.match(names)
    return int(number.group(1)) if number else 1


def _waits_for(cursor: Cursor) -> tuple[str, int]:
    """synchronous_standby_names, and for how many of them a COMMIT of this session waits."""
    cursor.execute(ASKED_FOR)
    names, synchronous_commit, senders = one_row(cursor)
    waits = senders > 0 and synchronous_commit not in WAITS_FOR_NONE
    return names, standbys_asked_for(names) if waits else 0


def endless_commit(cursor: Cursor, tries: bool = True) -> str | None:
    """Why COMMIT in this session would not come back, or None where it would.

    The server counts a standby only while it is streaming, and tells so by its sync_state: those that count are sync
    or quorum, and potential only besides as many of these as are asked for. Where the role is not shown it, or where
    one of them has said nothing for a while, a COMMIT that changes nothing is tried in another session.

    Args:
        tries: whether that may be done; else it is taken to come back.
    """
    names, needed = _waits_for(cursor)
    if needed == 0:
        return None
    connected = read_standbys(cursor)
    # What is hidden from the role may be one that counts: fewer than are asked for are too few all the same.
    hidden = [one for one in connected if one.state is None]
    counting = [one for one in connected if one.sync_state in ("sync", "quorum") or one in hidden]
    silent = [one for one in counting if (one.silent or 0) > SILENT_SECONDS]
    doubtful = bool(hidden or silent)
    if len(counting) >= needed and (not doubtful or not tries or _comes_back(cursor.connection)):
        return None
    if hidden:
        counting = []
    elif len(counting) >= needed:
        counting = [one for one in counting if one not in silent]
    others = [
        f"{one.name} ({one.state or 'its state is not shown'}{_silence(one)})"
        for one in connected
        if one not in counting
    ]
    besides = f"; connected besides: {', '.join(others)}" if others else ""
    return (
        f"COMMIT would wait without an end, and keep its locks meanwhile: synchronous_standby_names is '{names}', so"
        f" that {needed} standby{'s have' if needed > 1 else ' has'} to confirm it, and {len(counting)} that could"
        f" {'are' if len(counting) != 1 else 'is'} connected{besides}. Bring the standby back; or, if the server may do"
        " without it, a superuser types: ALTER SYSTEM SET synchronous_standby_names = ''; SELECT pg_reload_conf();"
        " then type the same command again"
    )


def _silence(standby: Standby) -> str:
    seconds = standby.silent or 0
    return f", has said nothing for {seconds:.0f} s" if seconds > SILENT_SECONDS else ""


def _comes_back(connection: Connection) -> bool:
    """Whether a COMMIT of another session like this one does, in time.

    One that is cancelled while it waits is done all the same (manual, "Synchronous Replication").

    Raises:
        Refused, ServerUnreachable: as connect_again.
    """
    trial = connect_again(connection)
    try:
        with trial.cursor() as cursor:
            # Only who has written WAL waits; this is of no table, and no subscription takes it for a change.
            cursor.execute("SELECT pg_catalog.pg_logical_emit_message(true, 'pgops.runbook', '')")
        with concurrent.futures.ThreadPoolExecutor(1) as executor:
            commit = executor.submit(trial.commit)
            try:
                commit.result(timeout=TRIAL_SECONDS)
            except concurrent.futures.TimeoutError:
                trial.cancel()
                commit.result()
                return False
        return True
    finally:
        trial.close()


def refuse_endless_commit(cursor: Cursor, where: str = "", tries: bool = True) -> None:
    """Before anything is written: a COMMIT that hangs holds its locks, and the ledger's own first one would.

    Args:
        where: which server it is, where that is not plain.
        tries: see endless_commit.

    Raises:
        Refused: saying who is missing.
    """
    reason = endless_commit(cursor, tries)
    if reason is not None:
        raise Refused("synchronous_standby_missing", f"{where}{reason}.")


def commit_without_standbys(cursor: Cursor, local: bool = False) -> None:
    """COMMIT waits for this server's disk alone: for what has to be written where the standby is missing.

    Args:
        local: until the end of the transaction instead of the session.
    """
    cursor.execute("SELECT pg_catalog.set_config('synchronous_commit', 'local', %s)", (local,))
