# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a drill makes besides its copy, and taking all of it away: databases on one server, folders in backup_dir."""

from __future__ import annotations

import os
import shutil
import time

from ..backup.copy import FORGOTTEN_AFTER_HOURS, CopyDatabase, copy_name, made_long_ago
from ..ledger.aftermath import replaced_name
from ..postgres.connection import connect
from ..postgres.maintenance import drop_by_force
from ..restore.restored import drop_restored
from ..shapes import Target

__all__ = ["PARTS", "dead_folders", "forget_dead_drills", "remove_remains", "run_of"]

# Stands between the name of a drill and that of the part of it that is a run of its own.
OF_DRILL = "-drill-"

#: Runs that are played on the copy, in order: "before" takes back what is deployed there already.
PARTS = ("before", "deploy", "rollback", "restore")

# Of drills that were killed: nobody is in them. The comment of a copy goes with it when it is swapped.
# Everybody may write a comment on a database of his own; what it says is read with care.
DEAD = """
    SELECT datname::text, pg_catalog.shobj_description(d.oid, 'pg_database'), clock_timestamp() AT TIME ZONE 'UTC'
    FROM pg_catalog.pg_database d
    WHERE pg_catalog.starts_with(datname::text, 'runbook_')
      AND pg_catalog.shobj_description(d.oid, 'pg_database') LIKE 'migration runbook: copy of run %%'
      AND (pg_catalog.shobj_description(d.oid, 'pg_database') LIKE %(part)s OR datname LIKE %(replaced)s)
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid)
      AND pg_catalog.pg_has_role(datdba, 'USAGE') ORDER BY 1"""


def run_of(drill: str, part: str) -> str:
    """Name of a run that is played on the copy of a drill."""
    return f"{drill}{OF_DRILL}{part}"


def remove_remains(target: Target, drill: str, backup_dir: str) -> None:
    """Drop the copy of a drill and what its runs have made beside it, and remove their backups.

    Args:
        target: connection options of the server that holds the copy; login_db is only connected to.
        drill: its run_id.

    Raises:
        Refused: a database has the name of one of them, and is somebody else's.
    """
    copy = copy_name(drill)
    for part in PARTS:
        run_id = run_of(drill, part)
        CopyDatabase(target, run_id).drop()
        drop_restored(target, run_id, backup_dir)
        shutil.rmtree(os.path.join(os.path.abspath(backup_dir), run_id), ignore_errors=True)
    CopyDatabase(target, drill, replaced_name(copy, run_of(drill, "restore"))).drop()
    CopyDatabase(target, drill).drop()


def forget_dead_drills(target: Target, backup_dir: str) -> list[str]:
    """Drop what drills that were killed long ago have left, and remove their backups.

    The copies themselves, whose names every run knows, go with those of rehearsals (see backup/copy.py).

    Returns:
        names of the databases and folders.
    """
    return [*_dead_databases(target), *dead_folders(backup_dir)]


def _dead_databases(target: Target) -> list[str]:
    dropped = []
    connection = connect(target)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                DEAD,
                {
                    "part": f"%{OF_DRILL}%",
                    "replaced": "runbook\\_copy\\_%\\_before\\_%",
                },
            )
            dead = [
                name for name, comment, now in cursor.fetchall() if made_long_ago(comment.split("\n")[0], now)
            ]
            for name in dead:
                drop_by_force(cursor, name)
                dropped.append(name)
    finally:
        connection.close()
    return dropped


def dead_folders(backup_dir: str) -> list[str]:
    """Nothing but a drill makes a folder of such a name, and nobody restores from it."""
    removed = []
    try:
        found = sorted(os.scandir(backup_dir), key=lambda one: one.name)
    except OSError:
        return []
    for entry in found:
        is_part = OF_DRILL in entry.name and entry.name.rpartition(OF_DRILL)[2] in PARTS
        if not is_part or not entry.is_dir(follow_symlinks=False):
            continue
        if time.time() - entry.stat(follow_symlinks=False).st_mtime > FORGOTTEN_AFTER_HOURS * 3600:
            shutil.rmtree(entry.path, ignore_errors=True)
            removed.append(entry.name)
    return removed
