# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The restored database beside the live one: made from a proven backup, with the ledger that the live one has now.

The backup holds the ledger as it was when it was taken. What runs have written since must not be lost with the
database that is replaced, so the ledger is replaced by the live one, of which it has to be the beginning.
"""

from __future__ import annotations

import os

from ..backup.copy import database_settings
from ..backup.encryption import Encryption
from ..backup.engine import engine_of_backup
from ..backup.files import BackupFiles
from ..backup.making import maker_of
from ..backup.proof import fill_and_compare, warn_of_what_lacks
from ..errors import Refused
from ..ledger.ledger import Ledger
from ..ledger.run_folder import make_run_folder
from ..ledger.upgrade import upgrade
from ..postgres.answers import one_row
from ..postgres.application_tables import LEDGER_SCHEMA
from ..postgres.connection import client_options, sql, transaction
from ..postgres.programs import encoding_of_dump, find_program, reading_null, run_program
from ..shapes import Connection, Json, Receipt
from ..step.step import Step
from .points import at_point, check_reached, fill_to_point
from .properties import tablespace_for
from .restored import RestoredDatabase, ledger_dump

__all__ = ["restore_beside"]


def restore_beside(step: Step, source: Json) -> Json:
    """Restore the backup, prove it against its manifest, and give it the ledger of the live database.

    Args:
        step: its connection is to the live database.
        source: see source.find_backup.

    Returns:
        dict for the receipt: restored (name), database_oid, source, proof, receipts_in_backup, tablespace (why
        another one had to be taken, or None).

    Raises:
        StepFailed: the backup is damaged, cannot be restored, or is not what was backed up.
        Refused: its ledger is not the beginning of the live one.
    """
    target, bindir = step.params["target"], step.params["pg_bindir"]
    files = BackupFiles(step.params["backup_dir"], source["run_id"], encryption=Encryption.of(step.params))
    manifest = files.read_manifest(source["manifest_sha256"])
    restored = RestoredDatabase(target, step.run_id)
    with transaction(step.connection) as cursor:
        create = database_settings(cursor)["create"]
        tablespace, other_tablespace = tablespace_for(cursor, target["login_db"])
        receipts = step.ledger.receipts(cursor)
    if tablespace is not None:
        create["TABLESPACE"] = tablespace
    point = source.get("restore_to")
    restored.drop()
    try:
        maker = maker_of(engine_of_backup(step.params, manifest))
        # Encoding and locale of today; the settings under which the backup was described.
        manifest = {**manifest, "settings": {**manifest["settings"], "create": create}}
        if point:
            later = at_point(manifest, point)
            proof = fill_to_point(lambda: maker.fill_beside(step.connection, files, later, restored))
        else:
            proof = fill_and_compare(
                lambda: maker.fill_beside(step.connection, files, manifest, restored), manifest, restored
            )
        warn_of_what_lacks(step.module.warn, proof)
        connection = restored.connect()
        try:
            _silence_event_triggers(connection, restored.name)
            in_backup = _check_beginning(connection, Ledger(), receipts, source["run_id"])
            if point:
                check_reached(in_backup, point)
            with transaction(connection) as cursor:
                # The salvage of the backup has the layout of its day; the live ledger will say that it has today's.
                upgrade(cursor)
            _replace_ledger(step, connection, restored, bindir)
            with transaction(connection) as cursor:
                cursor.execute(
                    "SELECT oid::bigint FROM pg_catalog.pg_database WHERE datname = current_database()"
                )
                (oid,) = one_row(cursor)
        finally:
            connection.close()
    except BaseException:
        restored.drop()
        raise
    return {
        "restored": restored.name,
        "database_oid": oid,
        "source": source,
        "proof": proof,
        "receipts_in_backup": in_backup,
        "tablespace": other_tablespace,
    }


def _silence_event_triggers(connection: Connection, name: str) -> None:
    """Event triggers that note or forbid DDL are not meant for what the runbook does in the restored database.

    In its settings, so that pg_restore and every session until the swap have it; the swap gives it those of the live
    database instead. Only a superuser may, and only from PostgreSQL 17 (manual, event_triggers).
    """
    with transaction(connection) as cursor:
        cursor.execute(
            "SELECT current_setting('is_superuser')::boolean"
            " AND EXISTS (SELECT FROM pg_catalog.pg_settings WHERE name = 'event_triggers')"
        )
        if one_row(cursor)[0]:
            cursor.execute(sql.SQL("ALTER DATABASE {} SET event_triggers = off").format(sql.Identifier(name)))
            cursor.execute("SET event_triggers = off")  # ours had begun before


def _check_beginning(
    connection: Connection, ledger: Ledger, live_receipts: list[Receipt], run_id: str
) -> int:
    """The number of receipts in the backup, which have to be the first ones of the live ledger."""
    with transaction(connection) as cursor:
        restored = [one["digest"] for one in ledger.receipts(cursor)]
    if restored != [one["digest"] for one in live_receipts[: len(restored)]]:
        raise Refused(
            "backup_of_another_database",
            f"The ledger in the backup of run {run_id} is not the beginning of the one in the live database, so the"
            " backup belongs to another history of it. Nothing was changed. Check run_id and the target.",
        )
    return len(restored)


def _replace_ledger(step: Step, connection: Connection, restored: RestoredDatabase, bindir: str) -> None:
    """Put the live ledger in place of the one in the backup."""
    with transaction(connection) as cursor:
        cursor.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(LEDGER_SCHEMA)))
    target = step.params["target"]
    path = ledger_dump(step.params["backup_dir"], step.run_id)
    make_run_folder(os.path.dirname(path))
    try:
        # Made by us first, so that nobody else can read it at any time.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        run_program(
            find_program("pg_dump", bindir),
            [
                *client_options(target),
                *encoding_of_dump(step.connection),
                "--format=custom",
                f"--schema={LEDGER_SCHEMA}",
                f"--file={path}",
            ],
            target,
        )
        target = reading_null(connection, target)
        run_program(
            find_program("pg_restore", bindir),
            [*client_options(target, restored.name), "--exit-on-error", "--single-transaction"],
            target,
            [path],
        )
    finally:
        os.unlink(path)
