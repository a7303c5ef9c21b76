# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The backup before a rollback, in proportion: a full one, the salvage alone, or a restore point in archived WAL."""

from __future__ import annotations

import datetime
import hashlib
import time
from collections.abc import Sequence
from typing import NamedTuple

from ..errors import Refused
from ..postgres.answers import one_row
from ..postgres.connection import sql, transaction
from ..shapes import Connection, Cursor, Json

__all__ = [
    "AUTO",
    "EMERGENCY_BACKUP_SPEC",
    "FULL",
    "RESTORE_POINT",
    "SALVAGE",
    "Wish",
    "check_wanted",
    "choose_kind",
    "is_archived",
    "refuse_without_archiving",
    "refuse_without_right",
    "restore_point_name",
    "set_restore_point",
    "wait_until_archived",
]

AUTO, FULL, SALVAGE, RESTORE_POINT = "auto", "full", "salvage", "restore_point"

EMERGENCY_BACKUP_SPEC: Json = {
    "kind": {"type": "str", "default": AUTO, "choices": [AUTO, FULL, SALVAGE, RESTORE_POINT]},
    "full_max_mb": {"type": "float", "default": 10240},
}

# How long the archiver may take for one segment of WAL.
ARCHIVE_WAIT_SECONDS = 60

# What is 63 bytes or longer is cut by pg_create_restore_point (manual, "Backup Control Functions").
NAME_LENGTH = 60

INSTEAD = "Another kind of backup: -e emergency_backup=full"


class Wish(NamedTuple):
    """What needs archived WAL, and what to type for something that does not."""

    what: str
    instead: str


KIND = Wish("emergency_backup=restore_point", INSTEAD)


def choose_kind(
    wanted: str, size_mb: float, full_max_mb: float, one_by_one: Sequence[str]
) -> tuple[str, str]:
    """Which backup is made, and why.

    Args:
        wanted: what the person asked for.
        size_mb: of the database.
        full_max_mb: up to which size a full one is made without being asked for.
        one_by_one: versions whose rollback commits one by one, so that salvage cannot take it back half way.

    Returns:
        (kind, reason).

    Raises:
        Refused: salvage was asked for and cannot be had.
    """
    if wanted == SALVAGE and one_by_one:
        raise Refused(
            "full_backup_needed",
            f"The rollback of {', '.join(one_by_one)} cannot run in one transaction. If it stops half way, only a full"
            f" backup takes it back, not its salvage. Nothing was changed. {INSTEAD}",
        )
    if wanted != AUTO:
        return wanted, "asked for"
    if size_mb <= full_max_mb:
        return FULL, f"the database has {size_mb:.0f} MB, at most {full_max_mb:g} (emergency_full_max_mb)"
    if one_by_one:
        return (
            FULL,
            f"the rollback of {', '.join(one_by_one)} cannot run in one transaction, and if it stops half way, its"
            " salvage does not take it back",
        )
    return SALVAGE, f"the database has {size_mb:.0f} MB, more than {full_max_mb:g} (emergency_full_max_mb)"


def check_wanted(
    connection: Connection, wanted: str, one_by_one: Sequence[str], run_id: str, prove: bool
) -> Json | None:
    """Before anything is changed: whether the backup that a rollback of this run would begin with can be had.

    Args:
        connection: idle.
        wanted: what the person asked for.
        one_by_one: versions whose rollback commits one by one.
        run_id: names the restore point that proves the archiving.
        prove: whether a restore point is set; without it only the settings are looked at.

    Returns:
        dict: see set_restore_point; None where nothing was proven.

    Raises:
        Refused: saying why not, and that nothing was changed.
    """
    if wanted == SALVAGE and one_by_one:
        raise Refused(
            "full_backup_needed",
            f"An emergency rollback would begin with emergency_backup=salvage, but the one of {', '.join(one_by_one)}"
            " cannot run in one transaction. If it stops half way, only a full backup takes it back. Nothing was"
            f" changed. {INSTEAD}",
        )
    if wanted != RESTORE_POINT:
        return None
    try:
        with transaction(connection) as cursor:
            refuse_without_archiving(cursor)
            refuse_without_right(cursor)
        return set_restore_point(connection, run_id, begin="runbook_before_") if prove else None
    except Refused as error:
        raise Refused(
            error.code, f"{error.reason} (An emergency rollback would begin with it. Nothing was changed.)"
        ) from None


def restore_point_name(run_id: str, begin: str = "runbook_") -> str:
    """The run's restore point; a name that is too long is cut and told apart by its digest."""
    name = f"{begin}{run_id}"
    if len(name) <= NAME_LENGTH:
        return name
    digest = hashlib.sha256(run_id.encode("utf-8")).hexdigest()[:12]
    return f"{name[: NAME_LENGTH - 13]}_{digest}"


def set_restore_point(
    connection: Connection, run_id: str, wait_seconds: float | None = None, begin: str = "runbook_"
) -> Json:
    """Name a point in the WAL, and see that all of it up to there is archived.

    Args:
        connection: idle.
        run_id: names the point.
        wait_seconds: how long the archiver may take; ARCHIVE_WAIT_SECONDS where nothing else is said.
        begin: of the point's name: recovery ends at the first point of a name, so each has a name of its own.

    Returns:
        dict: restore_point (for recovery_target_name), lsn, segment.

    Raises:
        Refused: there is no archiving, it fails, or it does not get there in time; or the role may not do this.
    """
    with transaction(connection) as cursor:
        refuse_without_archiving(cursor)
        cursor.execute("SELECT clock_timestamp()")
        begun = one_row(cursor)[0]
    name = restore_point_name(run_id, begin)
    with transaction(connection) as cursor:
        refuse_without_right(cursor)
    with transaction(connection) as cursor:
        cursor.execute("SELECT pg_catalog.pg_create_restore_point(%s)", (name,))
        lsn = one_row(cursor)[0]
        cursor.execute("SELECT pg_catalog.pg_walfile_name(%s), pg_catalog.pg_switch_wal()", (lsn,))
        segment = one_row(cursor)[0]
    wait_until_archived(connection, name, segment, begun, wait_seconds)
    return {"restore_point": name, "lsn": lsn, "segment": segment}


def wait_until_archived(
    connection: Connection,
    name: str,
    segment: str,
    begun: datetime.datetime,
    wait_seconds: float | None = None,
    wish: Wish = KIND,
) -> None:
    """Wait for the archiver to have the segment of a restore point.

    Args:
        connection: idle.
        name: of the restore point.
        segment: which holds it, and was ended.
        begun: a time of the server's clock before that.
        wait_seconds: how long it may take; ARCHIVE_WAIT_SECONDS where nothing else is said.

    Raises:
        Refused: it fails, or does not get there in time.
    """
    wait_seconds = ARCHIVE_WAIT_SECONDS if wait_seconds is None else wait_seconds
    deadline = time.monotonic() + wait_seconds
    while True:
        with transaction(connection) as cursor:
            refuse_without_archiving(cursor, wish)
            if is_archived(cursor, segment, begun):
                return
        if time.monotonic() >= deadline:
            raise Refused(
                "wal_archiving_fails",
                f"Segment {segment}, which holds the restore point {name}, was not archived within {wait_seconds:g} s,"
                f" so that a recovery to it is not certain. {wish.instead}",
            )
        time.sleep(0.2)


# Segments are archived in the order of their names. The label of a base backup bears the name of the segment in which
# that began and comes after it; the history file of a timeline says nothing about segments. Figures from before this
# point was set prove nothing: statistics may have been restored together with an older data folder.
LAST_ARCHIVED = """
    SELECT coalesce(last_archived_wal ~ '^[0-9A-F]{24}([.][0-9A-F]{8}[.]backup)?$'
                    AND left(last_archived_wal, 24) COLLATE "C" >= %s AND last_archived_time >= %s, false)
    FROM pg_catalog.pg_stat_archiver"""

# Where the role may look there: the label of a base backup that began earlier may hide the segment in the statistics.
MARKED_DONE = """
    SELECT EXISTS (SELECT FROM pg_catalog.pg_ls_archive_statusdir()
                   WHERE name = %s || '.done' AND modification >= date_trunc('second', %s::timestamptz))"""


def is_archived(cursor: Cursor, segment: str, begun: datetime.datetime) -> bool:
    """Whether the server says that this segment was archived, having been ended after ``begun``."""
    cursor.execute(LAST_ARCHIVED, (segment, begun))
    if one_row(cursor)[0]:
        return True
    cursor.execute("SELECT has_function_privilege('pg_catalog.pg_ls_archive_statusdir()', 'EXECUTE')")
    if not one_row(cursor)[0]:
        return False
    cursor.execute(MARKED_DONE, (segment, begun))
    return one_row(cursor)[0]


def refuse_without_right(cursor: Cursor, wish: Wish = KIND) -> None:
    """The role may set a restore point.

    Raises:
        Refused: with the command that lets it.
    """
    cursor.execute(
        "SELECT current_user::text, has_function_privilege('pg_catalog.pg_create_restore_point(text)', 'EXECUTE')"
        " AND has_function_privilege('pg_catalog.pg_switch_wal()', 'EXECUTE')"
    )
    role, allowed = one_row(cursor)
    if not allowed:
        whom = sql.Identifier(role).as_string(cursor)
        raise Refused(
            "role_lacks_privilege",
            f"Role {role} may not set a restore point. A superuser types: GRANT EXECUTE ON FUNCTION"
            f" pg_create_restore_point(text), pg_switch_wal() TO {whom}. {wish.instead}",
        )


def refuse_without_archiving(cursor: Cursor, wish: Wish = KIND) -> None:
    """The server archives its WAL, and the last try did not fail.

    Raises:
        Refused: it does not.
    """
    cursor.execute(
        "SELECT current_setting('archive_mode') IN ('on', 'always'),"
        " current_setting('archive_command') NOT IN ('', '(disabled)')"
        " OR coalesce(current_setting('archive_library', true), '') <> ''"
    )
    on, has_command = one_row(cursor)
    if not on or not has_command:
        lacking = "neither archive_command nor archive_library is set" if on else "archive_mode is off"
        raise Refused(
            "wal_archiving_off",
            f"{wish.what} needs WAL archiving, but {lacking}. {wish.instead}",
        )
    cursor.execute(
        "SELECT last_failed_wal FROM pg_catalog.pg_stat_archiver"
        " WHERE last_failed_time > coalesce(last_archived_time, '-infinity')"
    )
    failed = cursor.fetchone()
    if failed:
        raise Refused(
            "wal_archiving_fails",
            f"WAL archiving fails: segment {failed[0]} could not be archived, so no restore point can be trusted."
            f" {wish.instead}",
        )
