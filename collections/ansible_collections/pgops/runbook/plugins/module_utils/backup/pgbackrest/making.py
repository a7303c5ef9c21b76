# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backups made by pgBackRest, and restored: onto a scratch cluster, and from there into one database of production."""

from __future__ import annotations

import os
import re
import shutil
from typing import Optional

from ...activity import begin
from ...errors import StepFailed
from ...postgres.connection import client_options, connect, server_identity, sql, transaction
from ...postgres.maintenance_mode import READ_ONLY_SETTING
from ...postgres.programs import encoding_of_dump, find_program, run_program
from ...shapes import Connection, Json, Target
from ..copy import CopyDatabase
from ..files import BackupFiles
from ..restoring import restore_folder
from .backup import back_up_cluster
from .checks import owner_of_cluster
from .engine import PgBackRestEngine, ScratchCopy
from .program import PgBackRest
from .restore_point import ended_between
from .scratch import ScratchCluster
from .settings import Server, configuration, overrides, postgres_program, read_server

__all__ = ["PgBackRestMaker"]

# Every server has them, so that pgbackrest restores them always, and wants them not to be named.
BUILT_IN = ("postgres", "template0", "template1")

# What comes of it where rows differ.
MORE = (
    "Transactions ended between the snapshot that was compared and the restore point ({} of them), so that the"
    " recovered cluster has them and the snapshot has not"
)


class PgBackRestMaker:
    """What each of its methods is for is in backup/making.py."""

    def __init__(self, engine: PgBackRestEngine) -> None:
        self.engine = engine

    def back_up(
        self,
        connection: Connection,
        target: Target,
        files: BackupFiles,
        run_id: str,
        lock_timeout_seconds: float,
    ) -> Json:
        self.engine.check_variables()
        _, program = self._at(connection)
        return back_up_cluster(
            connection,
            target,
            files,
            program,
            self.engine.type,
            run_id,
            self.engine.jobs,
            lock_timeout_seconds,
        )

    def _at(self, connection: Connection) -> tuple[Server, PgBackRest]:
        """What is known of production's server, and pgbackrest beside it."""
        with transaction(connection) as cursor:
            server, identity = read_server(cursor), server_identity(cursor)
        return server, self.engine.program(owner_of_cluster(server, identity))

    def fill_copy(
        self, production: Connection, files: BackupFiles, manifest: Json, copy: CopyDatabase
    ) -> Optional[str]:
        if not isinstance(copy, ScratchCopy):
            raise TypeError("pgbackrest fills the copy of a scratch cluster alone")
        self.engine.check_variables()
        server, program = self._at(production)
        cluster, made = copy.cluster, manifest["engine"]
        facts = {"system_identifier": manifest["identity"]["system_identifier"], "role": server.role}
        try:
            with cluster.made(program.owner, facts) as has_data:
                _restore(program, cluster, made, manifest["identity"]["database"], self.engine.jobs, has_data)
                fetch = [
                    program.path(),
                    *program.options(),
                    f"--pg1-path={cluster.data}",
                    "--no-archive-async",
                ]
                # PostgreSQL hands it to a shell; names and paths are of plain characters (check_names).
                fetching = " ".join([*fetch, "archive-get", "%f", "%p"])
                cluster.start(
                    postgres_program(server.data),
                    program.owner,
                    configuration(server.settings),
                    overrides(cluster.folder, cluster.inner, fetching),
                )
        except OSError as error:
            raise StepFailed(
                "scratch_dir_unusable",
                f"The scratch cluster cannot be made in {cluster.folder}: {error.strerror or error}. Production is as"
                " it was. Correct pgbackrest_scratch_dir, its owner or its permissions.",
            ) from None
        ended = _ended_between(copy, server, made["seen"]) if made["seen"] else 0
        _rename(copy, server)
        return MORE.format(ended) if ended else None

    def fill_beside(
        self, production: Connection, files: BackupFiles, manifest: Json, restored: CopyDatabase
    ) -> Optional[str]:
        """The whole cluster is restored, and never into the living one: from the scratch cluster comes one database."""
        copy = self.engine.copy(restored.target, restored.run_id)
        copy.drop()
        try:
            doubt = self.fill_copy(production, files, manifest, copy)
            folder = os.path.join(copy.cluster.folder, "dump")
            shutil.rmtree(folder, ignore_errors=True)
            options = ["--format=directory", f"--jobs={self.engine.jobs}", f"--file={folder}", "--compress=0"]
            run_program(
                find_program("pg_dump", self.engine.bindir),
                [*client_options(copy.target), *encoding_of_dump(production), *options],
                copy.target,
            )
            restored.create(manifest["settings"])
            restore_folder(
                folder,
                restored.target,
                restored.name,
                self.engine.bindir,
                self.engine.jobs,
                manifest["settings"].get("creators", []),
            )
            shutil.rmtree(folder)
        finally:
            copy.drop()
        return doubt


def _rename(copy: ScratchCopy, server: Server) -> None:
    """After the recovery: the database gets its name here, and lets write whoever may not in production."""
    original = copy.production["login_db"]
    copy.target = copy.as_role(server.role)
    _end_prepared(copy, server.superuser, original)
    # From any other database; every cluster has this one.
    connection = connect(copy.as_role(server.superuser, "template1"))
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            names = {"old": sql.Identifier(original), "new": sql.Identifier(copy.name)}
            for statement in (
                "ALTER DATABASE {old} RENAME TO {new}",
                "ALTER DATABASE {new} CONNECTION LIMIT -1",
                f"ALTER DATABASE {{new}} RESET {READ_ONLY_SETTING}",
                f"ALTER ROLE {{role}} IN DATABASE {{new}} RESET {READ_ONLY_SETTING}",
            ):
                cursor.execute(sql.SQL(statement).format(**names, role=sql.Identifier(server.role)))
    finally:
        connection.close()


def _end_prepared(copy: ScratchCopy, superuser: str, database: str) -> None:
    """Prepared transactions keep their locks through a recovery; no dump has any."""
    connection = connect(copy.as_role(superuser, database))
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT gid FROM pg_catalog.pg_prepared_xacts WHERE database = pg_catalog.current_database()"
            )
            for (gid,) in cursor.fetchall():
                cursor.execute("ROLLBACK PREPARED %s", (gid,))
    finally:
        connection.close()


def _ended_between(copy: ScratchCopy, server: Server, seen: str) -> int:
    """See restore_point.ended_between; nothing may have been written here before."""
    connection = connect(copy.as_role(server.superuser, "template1"))
    try:
        with transaction(connection) as cursor:
            return ended_between(cursor, seen)
    finally:
        connection.close()


def _can_be_named(database: str) -> bool:
    """Whether pgbackrest surely knows a database by its name; of others all databases are restored."""
    return database not in BUILT_IN and re.fullmatch(r"[A-Za-z0-9_.-]+", database) is not None


def _restore(
    program: PgBackRest, cluster: ScratchCluster, made: Json, database: str, jobs: int, has_data: bool
) -> None:
    """Restore a backup into the data folder of a scratch cluster, for a recovery to its restore point.

    Nothing that the configuration file says of a restore of production may hold: neither where links and tablespaces
    lead, which would be production's own, nor what else it recovers to.

    Args:
        made: engine of the manifest.
        database: the only one whose rows are restored, where it can be named; files of others are empty (pgbackrest,
            db-include).
        has_data: whether there are data of an earlier restore, of which only what differs is copied.

    Raises:
        StepFailed: it failed.
    """
    if has_data:
        program.owner.succeeds("rm", "-f", os.path.join(cluster.data, "postmaster.pid"))
    begin("restoring the cluster with pgbackrest", None, "bytes", cluster.bytes)
    program.run(
        "restore",
        f"--pg1-path={cluster.data}",
        f"--set={made['label']}",
        "--type=name",
        f"--target={made['restore_point']}",
        "--target-action=promote",
        "--target-timeline=current",
        "--archive-mode=off",
        f"--tablespace-map-all={cluster.tablespaces}",
        "--reset-tablespace-map",
        "--reset-link-map",
        "--no-link-all",
        "--reset-recovery-option",
        "--reset-db-exclude",
        *([f"--db-include={database}"] if _can_be_named(database) else []),
        "--delta" if has_data else "--no-delta",
        f"--process-max={jobs}",
        holding=cluster.locks,
    )
