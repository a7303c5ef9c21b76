# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Opening a restore: that the backup is a proven one, and that the live database can be replaced by it."""

from __future__ import annotations

import os
import shlex

from ..backup.engine import drop_scratch, engine_of_backup
from ..backup.files import BackupFiles, remove_unencrypted
from ..errors import Refused
from ..ledger.aftermath import has_swapped
from ..ledger.ledger import Ledger
from ..ledger.planted import refuse_planted_in_ledger
from ..ledger.receipts import latest
from ..postgres.answers import one_row
from ..postgres.connection import transaction
from ..postgres.maintenance import connect_maintenance
from ..postgres.replication import read_replication, refuse_enabled_subscriptions
from ..preflight.chain import refuse_broken_chain
from ..preflight.not_in_backup import OF_A_RESTORE, check_all_in_backup
from ..preflight.opening import backups_of, close_dead_run, what_it_had_done
from ..preflight.replacing import missing_to_replace
from ..preflight.replication import look_at_slots, look_at_standbys
from ..preflight.server import check_client_programs, check_own_session, check_server, check_writable
from ..preflight.superuser import called_as_superuser
from ..sentences import listed
from ..shapes import Cursor, Identity, Json, Receipt, Target
from ..step.step import Step
from .points import point_named
from .restored import drop_restored
from .source import dump_folder, find_backup

__all__ = ["check_replaceable", "open_restore", "refuse_missing_database"]

LOCAL_HOSTS = ("", "localhost", "127.0.0.1", "::1")


def refuse_missing_database(target: Target, backup_dir: str, run_id: str) -> None:
    """A database that was dropped cannot be replaced, and its ledger went with it: say how its backup is restored.

    Args:
        run_id: whose backup is to be put back, as it was typed.

    Raises:
        Refused: there is no such database.
        ServerUnreachable: no maintenance database lets the role in.
    """
    connection = connect_maintenance(target)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT FROM pg_catalog.pg_database WHERE datname = %s", (target["login_db"],))
            if cursor.fetchone() is not None:
                return
    finally:
        connection.close()
    folder, by_hand = dump_folder(backup_dir, run_id), ""
    if folder is not None:
        name = shlex.quote(target["login_db"])
        by_hand = (
            f" If it was dropped, restore the dump by hand and check its rows yourself{_unlocked(folder)}:"
            f" createdb --template=template0 {name} && pg_restore --exit-on-error --jobs=2 --dbname={name}"
            f" {shlex.quote(folder)}"
        )
    raise Refused(
        "database_missing",
        f"There is no database {target['login_db']} on this server, and so none that a backup could replace. Check"
        f" db_name.{by_hand}",
    )


def _unlocked(folder: str) -> str:
    """What has to be done before pg_restore can read the dump."""
    ending = os.path.splitext(min(os.listdir(folder), default=""))[1]
    if ending not in (".age", ".gpg"):
        return ""
    return f", after you have decrypted each of its files with {ending[1:]} into one without {ending}"


def open_restore(step: Step, operator: str) -> Json:
    """Preflight of a restore: check, and open the run.

    Args:
        step: the preflight step.
        operator: who runs it.

    Returns:
        dict for the receipt: migrations (of the run whose backup is put back), source, swapped_by (the run that was
        killed after it had swapped the databases for this very backup, or None), broken_chain (what was wrong with the
        receipts), called_as_superuser and replication (what is to be said), not_in_backup (tables of which a dump has
        no rows), and what check_replaceable found.

    Raises:
        Refused: naming what is missing.
    """
    check_server(step.identity)
    params = step.params
    check_own_session(step.connection, params["target"])
    check_client_programs(step.identity, params["pg_bindir"])
    with transaction(step.connection) as cursor:
        check_writable(cursor)
        refuse_planted_in_ledger(cursor)
        broken_chain = refuse_broken_chain(step, cursor)
        source = find_backup(Ledger(), cursor, params["backup_dir"], params["source_run_id"], step.identity)
        manifest = BackupFiles(params["backup_dir"], source["run_id"]).check_manifest(
            source["manifest_sha256"]
        )
        if params["restore_to"]:
            chain = Ledger().receipts(cursor)
            source["restore_to"] = point_named(chain, source["run_id"], params["restore_to"], manifest)
        outputs = {
            "migrations": source["migrations"],
            "source": source,
            "swapped_by": None,
            "broken_chain": broken_chain,
            "called_as_superuser": called_as_superuser(cursor, None),
            **check_replaceable(cursor, params["target"]),
        }
        outputs["replication"] = _look_at_replication(step, cursor, outputs["database_bytes"])
        engine = engine_of_backup(params, manifest)
        engine.check_backup(cursor, step.identity, outputs["database_bytes"], manifest)
        if engine.copies_on_server:
            accept = params["accept_rows_not_in_backup"]
            outputs["not_in_backup"] = check_all_in_backup(cursor, accept, OF_A_RESTORE)
    for sentence in outputs["called_as_superuser"]:
        step.module.warn(sentence)
    if step.module.check_mode:
        with transaction(step.connection) as cursor:
            close_dead_run(step, cursor)
        return outputs
    step.take_run_lock()
    with transaction(step.connection) as cursor:
        # Until the lock was there a cleanup may have removed it.
        find_backup(Ledger(), cursor, params["backup_dir"], params["source_run_id"], step.identity)
        step.ledger.create(cursor)
        interrupted = close_dead_run(step, cursor)
        if interrupted is not None:
            outputs["interrupted_run"] = what_it_had_done(step, cursor, interrupted)
            receipts = step.ledger.receipts(cursor, interrupted["run_id"])
            if _swapped(receipts, source, step.identity):
                outputs["swapped_by"] = interrupted["run_id"]
        step.ledger.open_run(
            cursor,
            step.run_id,
            step.playbook,
            source["migrations"],
            operator,
            params["run"]["controller"],
        )
        step.record(cursor, "ok", inputs={"manifest": source["manifest_sha256"]}, outputs=outputs)
    if interrupted is not None:
        drop_scratch(params, interrupted["run_id"])
        drop_restored(params["target"], interrupted["run_id"], params["backup_dir"], step.connection)
        remove_unencrypted(params["backup_dir"], backups_of(receipts, interrupted["run_id"]))
    return outputs


def _look_at_replication(step: Step, cursor: Cursor, database_bytes: int) -> list[str]:
    """What is to be said of those who receive the server's WAL, of which a restore writes about as much as it restores.

    Who has to put a backup back does not wait until a standby has caught up; a slot that is lost is lost for good.

    Raises:
        Refused: a slot would be lost, and that was not accepted.
    """
    said = look_at_standbys(cursor, step.params["max_replica_lag_mb"], refuses=False)
    what = "The restored database takes about"
    return said + look_at_slots(cursor, database_bytes, what, step.params["accept_slot_loss"])


def _swapped(receipts: list[Receipt], source: Json, identity: Identity) -> bool:
    """Whether the run of these receipts has put the same backup in place: we are connected to what it restored."""
    restored = latest(receipts, "restore")
    return (
        has_swapped(receipts, identity)
        and restored is not None
        and restored["outputs"].get("source", {}).get("manifest_sha256") == source["manifest_sha256"]
        and restored["outputs"]["source"].get("restore_to") == source.get("restore_to")
    )


def check_replaceable(cursor: Cursor, target: Target) -> Json:
    """The role may make, rename and close databases and end sessions, and there is room for a second database.

    Returns:
        dict: database_bytes, room_bytes (None where the server's disk cannot be looked at from here), slots and
        subscriptions (see replication.read_replication).

    Raises:
        Refused: naming the missing right, the sessions, or the room.
    """
    cursor.execute("SELECT current_user::text, pg_catalog.pg_database_size(pg_catalog.current_database())")
    role, size = one_row(cursor)
    missing = missing_to_replace(cursor)
    if missing:
        raise Refused("role_lacks_privilege", ". ".join(missing), missing=missing)
    _refuse_sessions_of_superusers(cursor, role)
    cursor.execute(
        "SELECT gid FROM pg_catalog.pg_prepared_xacts WHERE database = current_database() ORDER BY prepared"
    )
    prepared = [gid for (gid,) in cursor.fetchall()]
    if prepared:
        raise Refused(
            "prepared_transactions_open",
            f"Prepared transactions are open in {target['login_db']}: {listed(prepared, 5, ', ')}. The database cannot"
            " be renamed while there are any. End them with COMMIT PREPARED or ROLLBACK PREPARED.",
        )
    refuse_enabled_subscriptions(cursor, target["login_db"])
    return {
        "database_bytes": size,
        "room_bytes": _check_server_room(cursor, target, size),
        **read_replication(cursor),
    }


def _refuse_sessions_of_superusers(cursor: Cursor, role: str) -> None:
    # A superuser has every role, and so is shown none.
    cursor.execute(
        "SELECT DISTINCT a.usename::text FROM pg_catalog.pg_stat_activity a"
        " LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid"
        " WHERE a.datname = current_database() AND a.pid <> pg_catalog.pg_backend_pid()"
        # backend_type of others is only shown to roles that may read all statistics.
        " AND a.usesysid IS NOT NULL AND NOT pg_catalog.pg_has_role(a.usesysid, 'USAGE') AND r.rolsuper ORDER BY 1"
    )
    superusers = [user for (user,) in cursor.fetchall()]
    if superusers:
        raise Refused(
            "role_lacks_privilege",
            f"Superuser {', '.join(superusers)} has sessions in this database, which role {role} may not end. End them"
            " yourself, or run this as a superuser.",
        )


def _check_server_room(cursor: Cursor, target: Target, size: int) -> int | None:
    """Bytes free on the disk of the database, where that disk is this machine's."""
    # Where no variable says so, a service may have, or PGHOST.
    host = target.get("login_host") or cursor.connection.info.host or ""
    if host not in LOCAL_HOSTS and not host.startswith("/"):
        return None
    cursor.execute(
        "SELECT CASE WHEN t.spcname IN ('pg_default', 'pg_global') THEN (SELECT setting FROM pg_catalog.pg_settings"
        " WHERE name = 'data_directory') ELSE pg_catalog.pg_tablespace_location(t.oid) END"
        " FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace"
        " WHERE d.datname = current_database()"
    )
    (folder,) = one_row(cursor)
    if not folder:
        return None  # only superusers and pg_read_all_settings are told where the data lies
    try:
        disk = os.statvfs(folder)
    except OSError:
        return None  # a server in a container, or a folder that this user cannot reach
    free = disk.f_bavail * disk.f_frsize
    if free < size:
        raise Refused(
            "server_disk_full",
            f"The server's disk has {free // 2**20} MiB free at {folder}, and the restored database needs"
            f" {size // 2**20} MiB beside the live one. Make room on the server.",
        )
    return free
