# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The database from which others are renamed and closed, and what it tells of a swap that was interrupted.

While a restore keeps the application out, the live database lets nobody in, the runbook included, so that a swap that
was killed cannot be told from the ledger. The comment of the restored database says it instead.
"""

from __future__ import annotations

import json
import re
import time

from ..errors import Refused, RunbookError, StepFailed, known
from ..shapes import Connection, Cursor, Json, Target
from .answers import one_row
from .blockers import BlockerWatch
from .connection import ServerUnreachable, connect, psycopg2, sql
from .pooler import backend_pid
from .standbys import commit_without_standbys

__all__ = [
    "SWAP_MARK",
    "allow_connections",
    "connect_maintenance",
    "connect_to_closed",
    "drop_by_force",
    "interrupted_swap",
    "reopen_after_interrupted_swap",
    "swap_mark",
    "take_swap_lock",
]

# PostgreSQL makes both in every cluster (manual, "Template Databases").
MAINTENANCE_DATABASES = ("postgres", "template1")

# First key of the advisory lock "a swap of this database is at work"; the second is a hash of its name. It spells
# "swap" in ASCII.
SWAP_LOCK = 0x73776170
LOCK_WAIT_SECONDS = 10

SWAP_MARK = "migration runbook: swap "

# Everybody may write a comment on a database of his own. It is believed of those who could let others into the live
# database themselves.
MARKED = """
    SELECT d.datname::text, pg_catalog.shobj_description(d.oid, 'pg_database'), live.datallowconn
    FROM pg_catalog.pg_database d JOIN pg_catalog.pg_database live ON live.datname = %s
    WHERE pg_catalog.starts_with(pg_catalog.shobj_description(d.oid, 'pg_database'), %s)
      AND pg_catalog.pg_has_role(d.datdba, live.datdba, 'USAGE')
    ORDER BY 1"""


MARK_KEYS = ("database", "run_id", "source")

# A name of a run goes into commands that people type.
RUN_ID = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*")


def connect_maintenance(target: Target) -> Connection:
    """A connection in autocommit mode to a database that is not the target's own.

    Raises:
        ServerUnreachable: none of them lets the role in.
    """
    failure: ServerUnreachable | None = None
    for name in MAINTENANCE_DATABASES:
        if name == target["login_db"]:
            continue
        try:
            connection = connect(target, name)
        except ServerUnreachable as error:
            failure = failure or error
            if error.details.get("waited"):
                break  # the server lets nobody in, whatever the database
        else:
            connection.autocommit = True
            return connection
    raise known(failure, "why no database lets the role in")  # at most one of the two is the target itself


def swap_mark(database: str, run_id: str, source: str) -> str:
    """Comment of a restored database that is about to take the place of ``database``."""
    return SWAP_MARK + json.dumps({"database": database, "run_id": run_id, "source": source}, sort_keys=True)


def take_swap_lock(cursor: Cursor, database: str) -> None:
    """One swap of a database at a time; the lock ends with the session.

    Raises:
        Refused: another session holds it.
    """
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    while True:
        cursor.execute(
            "SELECT pg_catalog.pg_try_advisory_lock(%s, pg_catalog.hashtext(%s))", (SWAP_LOCK, database)
        )
        if one_row(cursor)[0]:
            return
        if time.monotonic() >= deadline:
            raise Refused(
                "another_restore_in_progress",
                f"Another restore is swapping database {database} at this moment. Wait until it has finished, then"
                " look: ansible-playbook playbooks/status.yml",
            )
        time.sleep(0.25)


def interrupted_swap(cursor: Cursor, database: str) -> Json | None:
    """The swap of ``database`` that was begun and not ended, or None.

    Returns:
        dict: restored (name of the restored database), run_id, source, closed (whether the live database lets nobody
        in).
    """
    cursor.execute(MARKED, (database, SWAP_MARK))
    for name, comment, lets_in in cursor.fetchall():
        mark = _read_mark(comment[len(SWAP_MARK) :])
        if mark is not None and mark["database"] == database:
            return {"restored": name, **mark, "closed": not lets_in}
    return None


def _read_mark(text: str) -> dict[str, str] | None:
    """What swap_mark() has written; None for anything else."""
    try:
        mark = json.loads(text)
    except ValueError:
        return None
    if not isinstance(mark, dict) or not all(isinstance(mark.get(key), str) for key in MARK_KEYS):
        return None
    if not all(RUN_ID.fullmatch(mark[key]) for key in ("run_id", "source")):
        return None
    return {key: mark[key] for key in MARK_KEYS}


def allow_connections(cursor: Cursor, database: str, allowed: bool) -> None:
    cursor.execute(
        sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(
            sql.Identifier(database), sql.Literal(allowed)
        )
    )


def drop_by_force(cursor: Cursor, database: str) -> None:
    """Drop a database of our own with what sessions a killed run has left in it (manual, DROP DATABASE).

    A role that acts as another one (ALTER ROLE … SET role) may end what it has itself begun only as who it has logged
    in as, and even a session that is about to end counts. So it ends them as that; and without FORCE, PostgreSQL waits
    five seconds until the last has gone.

    Args:
        cursor: of a connection in autocommit mode.

    Raises:
        psycopg2.errors.ObjectInUse: a subscription, or the session of somebody else.
    """
    drop = sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(database))
    try:
        cursor.execute(sql.SQL("{} WITH (FORCE)").format(drop))
    except psycopg2.errors.InsufficientPrivilege:
        cursor.execute("SET ROLE NONE")
        cursor.execute(
            "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity"
            " WHERE datname = %s AND usename = session_user",
            (database,),
        )
        cursor.execute("RESET ROLE")
        cursor.execute(drop)


def _reopened(interrupted: Json) -> str:
    """What is said of a database that was let in again: see reopen_after_interrupted_swap."""
    return (
        f"Database {interrupted['database']} let nobody in: restore {interrupted['run_id']} was killed while it kept"
        " the application out. It lets everybody in again. No row is lost, and nothing was swapped. To restore all the"
        f" same: ansible-playbook playbooks/restore.yml -e run_id={interrupted['source']}"
    )


def reopen_after_interrupted_swap(target: Target, writes: bool = True) -> Json | None:
    """Let the application in again where a restore was killed while it held it off.

    Until the swap is committed the live database is whole and has not changed.

    Args:
        writes: False in check mode.

    Returns:
        What interrupted_swap() says of that restore, where the application was let in now; else None.

    Raises:
        Refused: that restore is still at work.
        ServerUnreachable: no maintenance database lets the role in.
    """
    connection = connect_maintenance(target)
    try:
        with connection.cursor() as cursor:
            swap = interrupted_swap(cursor, target["login_db"])
            if swap and swap["closed"] and writes:
                take_swap_lock(cursor, target["login_db"])
                # Again: it may have ended while we waited for the lock.
                swap = interrupted_swap(cursor, target["login_db"])
                if swap and swap["closed"]:
                    # Nobody is to be kept out because a standby is missing.
                    commit_without_standbys(cursor)
                    beside = {**target, "login_db": connection.info.dbname}
                    with BlockerWatch(beside, backend_pid(connection)) as watch:
                        _let_everybody_in(cursor, swap, watch)
                    return swap
        return None
    finally:
        connection.close()


def _let_everybody_in(cursor: Cursor, interrupted: Json, watch: BlockerWatch) -> None:
    """
    Raises:
        StepFailed: another transaction has touched the database and does not end.
    """
    cursor.execute(
        "SELECT pg_catalog.set_config('lock_timeout', %s, false)", (f"{round(LOCK_WAIT_SECONDS * 1000)}ms",)
    )
    try:
        allow_connections(cursor, interrupted["database"], True)
    except psycopg2.errors.LockNotAvailable:
        who = "; ".join(watch.sentences()) or "nobody could be named, the session had already ended"
        raise StepFailed(
            "lock_not_available",
            f"Database {interrupted['database']} lets nobody in, since restore {interrupted['run_id']} kept the"
            f" application out and could not let it in again; nor could this command, which waited"
            f" {LOCK_WAIT_SECONDS:g} s for a lock, held by: {who}. No row is lost, nothing was swapped."
            " Type the same command again when that session has ended.",
        ) from None


def connect_to_closed(
    target: Target, error: ServerUnreachable, writes: bool = True
) -> tuple[Connection, str | None]:
    """A connection to a database that let nobody in because a restore was killed in its swap.

    Args:
        error: of the attempt to connect.
        writes: False in check mode, which lets nobody in.

    Returns:
        the connection, and what is to be said where everybody was let in again.

    Raises:
        Refused: that restore is still at work, or nobody may be let in.
        ServerUnreachable: ``error``, where that is not why.
    """
    if error.details.get("waited"):
        raise error from None
    explained = _explain_unreachable(target, error)
    if not isinstance(explained, Refused) or not writes:
        raise explained from None
    found = reopen_after_interrupted_swap(target)
    return connect(target), _reopened(found) if found is not None else None


def _explain_unreachable(target: Target, error: ServerUnreachable) -> RunbookError:
    """The error, with what to type where an interrupted restore is why nobody is let in."""
    try:
        connection = connect_maintenance(target)
        try:
            with connection.cursor() as cursor:
                swap = interrupted_swap(cursor, target["login_db"])
        finally:
            connection.close()
    except (RunbookError, psycopg2.Error):
        return error  # the server itself does not answer, and the first error says so
    if not swap or not swap["closed"]:
        return error
    return Refused(
        "database_closed_by_restore",
        f"Database {target['login_db']} lets nobody in: restore {swap['run_id']} keeps the application out, or was"
        " killed while it did. No row is lost, nothing was swapped. If it no longer runs, this lets everybody in"
        " again, as does any other command of the runbook: ansible-playbook playbooks/status.yml",
    )
