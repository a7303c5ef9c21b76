# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The engine of backups that works with pgBackRest; what each of its methods is for is in backup/engine.py."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import Optional

from ...activity import begin
from ...errors import Refused, RunbookError, StepFailed
from ...postgres.answers import one_row
from ...postgres.connection import client_options, connect, server_identity, sql, transaction
from ...postgres.maintenance_mode import READ_ONLY_SETTING
from ...postgres.programs import find_program, run_program
from ...shapes import Connection, Cursor, Identity, Json, Target
from ..copy import CopyDatabase
from ..emergency import AUTO, RESTORE_POINT
from ..encryption import Encryption
from ..files import BackupFiles, check_room
from .backup import back_up_cluster
from .checks import check_engine, owner_of_cluster
from .program import INSTEAD, PgBackRest, check_names
from .restore_point import ended_between
from .scratch import FORGOTTEN_AFTER_HOURS, ScratchCluster, check_scratch_dir, left_behind
from .settings import Server, configuration, overrides, postgres_program, read_server

__all__ = ["PgBackRestEngine", "ScratchCopy"]

# Of a server that has them always, so that pgbackrest restores them always, and wants them not to be named.
BUILT_IN = ("postgres", "template0", "template1")


# What comes of it where rows differ.
MORE = (
    "Transactions ended between the snapshot that was compared and the restore point ({} of them), so that the"
    " recovered cluster has them and the snapshot has not"
)


class ScratchCopy(CopyDatabase):
    """The copy on a scratch cluster: there it has the name that a copy on another server would have.

    Args:
        target: of production.
        cluster: the scratch cluster of the run.
    """

    def __init__(self, target: Target, run_id: str, cluster: ScratchCluster) -> None:
        super().__init__(target, run_id)
        self.cluster = cluster
        self.production = target
        self.target = self._on_scratch(cluster.mark().get("role", ""))

    def _on_scratch(self, role: str, database: str = "") -> Target:
        ours = {"login_host": self.cluster.inner, "login_port": 5432, "login_user": role}
        ways = dict.fromkeys(
            ("login_password", "password_file", "service", "ca_cert", "ssl_cert", "ssl_key"), ""
        )
        others = {"password_command": [], "ssl_mode": "disable", "login_db": database or self.name}
        return {**self.production, **ways, **others, **ours}

    def create(self, like: Json | None = None) -> None:
        """The scratch cluster is filled by the engine, with all that a database has."""

    def size(self) -> int:
        return self.cluster.bytes()

    def drop(self) -> bool:
        return self.cluster.drop()

    def became(self, server: Server) -> None:
        """After the recovery: the database gets its name here, and lets write whoever may not in production."""
        original = self.production["login_db"]
        self.target = self._on_scratch(server.role)
        self._end_prepared(server.superuser, original)
        # Any other database; every cluster has this one.
        connection = connect(self._on_scratch(server.superuser, "template1"))
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                names = {"old": sql.Identifier(original), "new": sql.Identifier(self.name)}
                for statement in (
                    "ALTER DATABASE {old} RENAME TO {new}",
                    "ALTER DATABASE {new} CONNECTION LIMIT -1",
                    f"ALTER DATABASE {{new}} RESET {READ_ONLY_SETTING}",
                    f"ALTER ROLE {{role}} IN DATABASE {{new}} RESET {READ_ONLY_SETTING}",
                ):
                    cursor.execute(sql.SQL(statement).format(**names, role=sql.Identifier(server.role)))
        finally:
            connection.close()

    def _end_prepared(self, superuser: str, database: str) -> None:
        """Prepared transactions keep their locks through a recovery; no dump has any."""
        connection = connect(self._on_scratch(superuser, database))
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

    def ended_between(self, server: Server, seen: str) -> int:
        """See restore_point.ended_between; nothing may have been written here before."""
        connection = connect(self._on_scratch(server.superuser, "template1"))
        try:
            with transaction(connection) as cursor:
                return ended_between(cursor, seen)
        finally:
            connection.close()


class PgBackRestEngine:
    """pgBackRest, with one stanza.

    Args:
        stanza, config, type, scratch_dir, keep_scratch: as the variables pgbackrest_... have them.
        rehearsal_host: of the inventory's group rehearsal, which has no place here.
        encryption: likewise.
    """

    name = "pgbackrest"
    copies_on_server = False

    def __init__(
        self,
        stanza: str,
        config: str,
        type: str,
        scratch_dir: str,
        keep_scratch: bool,
        rehearsal_host: str = "",
        encryption: Encryption | None = None,
        backup_dir: str = "",
        bindir: str = "",
        jobs: int = 2,
    ) -> None:
        self.stanza, self.config, self.type = stanza, config, type
        self.scratch_dir, self.keep_scratch = scratch_dir, keep_scratch
        self.rehearsal_host, self.encryption = rehearsal_host, encryption
        self.backup_dir, self.bindir, self.jobs = backup_dir, bindir, jobs

    def emergency_kind(self, wanted: str) -> str:
        return RESTORE_POINT if wanted == AUTO else wanted

    def _check_variables(self) -> None:
        check_names(self.stanza, self.config, self.scratch_dir)
        if self.encryption:
            raise Refused(
                "backup_engine_unusable",
                "backup_encryption is for the files of pg_dump, and pgbackrest encrypts its repository itself"
                " (repo1-cipher-type in pgbackrest.conf). Nothing was changed. Type the same command with -e"
                " backup_encryption=none",
            )
        if self.rehearsal_host:
            raise Refused(
                "backup_engine_unusable",
                f"The inventory's group rehearsal names {self.rehearsal_host}, but with backup_engine=pgbackrest the"
                " copy is a scratch cluster on the database's own host, in pgbackrest_scratch_dir. Nothing was changed."
                f" Take the group out of the inventory. {INSTEAD}",
            )

    def check(self, cursor: Cursor, identity: Identity, database_bytes: int, proves: bool) -> None:
        self._check_variables()
        check_engine(cursor, identity, self.stanza, self.config, self.scratch_dir, database_bytes, proves)
        # Of the backup itself only what it must hold is there.
        check_room(self.backup_dir, 0)

    def check_backup(self, cursor: Cursor, identity: Identity, database_bytes: int, manifest: Json) -> None:
        check_names(self.stanza, self.config, self.scratch_dir)
        owner = owner_of_cluster(read_server(cursor), identity)
        check_scratch_dir(self.scratch_dir, owner, database_bytes)
        label = manifest["engine"]["label"]
        program = PgBackRest(owner, self.stanza, self.config)
        if program.backup(label=label) is None:
            raise Refused(
                "backup_missing",
                f"pgbackrest no longer has backup {label} in its repository: its own retention has removed it. Nothing"
                f" was changed. Choose another run; what there is: pgbackrest {' '.join(program.options())} info",
            )

    def back_up(
        self,
        connection: Connection,
        target: Target,
        files: BackupFiles,
        run_id: str,
        lock_timeout_seconds: float,
    ) -> Json:
        self._check_variables()
        _, program = self._at(connection)
        return back_up_cluster(
            connection, target, files, program, self.type, run_id, self.jobs, lock_timeout_seconds
        )

    def _at(self, connection: Connection) -> tuple[Server, PgBackRest]:
        """What is known of production's server, and pgbackrest beside it."""
        with transaction(connection) as cursor:
            server, identity = read_server(cursor), server_identity(cursor)
        return server, PgBackRest(owner_of_cluster(server, identity), self.stanza, self.config)

    def copy(self, target: Target, run_id: str) -> ScratchCopy:
        return ScratchCopy(target, run_id, ScratchCluster(self.scratch_dir, run_id, self.keep_scratch))

    def drop_forgotten(self, target: Target) -> list[str]:
        found = left_behind(self.scratch_dir)
        return [cluster.folder for cluster in found if self._drop_if_forgotten(target, cluster)]

    def _drop_if_forgotten(self, target: Target, cluster: ScratchCluster) -> bool:
        cluster.keep = self.keep_scratch
        with contextlib.suppress(OSError, StepFailed):
            if cluster.age_hours() <= FORGOTTEN_AFTER_HOURS:
                return False
            with cluster.locked() as free:
                return free and not in_use(target, cluster) and cluster.drop()
        return False

    def fill_copy(
        self, production: Connection, files: BackupFiles, manifest: Json, copy: CopyDatabase
    ) -> Optional[str]:
        if not isinstance(copy, ScratchCopy):
            raise TypeError("pgbackrest fills the copy of a scratch cluster alone")
        self._check_variables()
        server, program = self._at(production)
        cluster, made = copy.cluster, manifest["engine"]
        facts = {"system_identifier": manifest["identity"]["system_identifier"], "role": server.role}
        try:
            with cluster.made(program.owner, facts) as has_data:
                restore(program, cluster, made, manifest["identity"]["database"], self.jobs, has_data)
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
        ended = copy.ended_between(server, made["seen"])
        copy.became(server)
        return MORE.format(ended) if ended else None

    def fill_beside(
        self, production: Connection, files: BackupFiles, manifest: Json, restored: CopyDatabase
    ) -> Optional[str]:
        """The whole cluster is restored, and never into the living one: from the scratch cluster comes one database."""
        copy = self.copy(restored.target, restored.run_id)
        copy.drop()
        try:
            doubt = self.fill_copy(production, files, manifest, copy)
            folder = os.path.join(copy.cluster.folder, "dump")
            shutil.rmtree(folder, ignore_errors=True)
            options = ["--format=directory", f"--jobs={self.jobs}", f"--file={folder}", "--compress=0"]
            run_program(
                find_program("pg_dump", self.bindir), [*client_options(copy.target), *options], copy.target
            )
            restored.create(manifest["settings"])
            options = [
                *client_options(restored.target, restored.name),
                "--exit-on-error",
                f"--jobs={self.jobs}",
            ]
            run_program(find_program("pg_restore", self.bindir), options, restored.target, [folder])
            shutil.rmtree(folder)
        finally:
            copy.drop()
        return doubt


def in_use(target: Target, cluster: ScratchCluster) -> bool:
    """Whether somebody is in a scratch cluster; where that cannot be seen, somebody may be."""
    if cluster.running() is None:
        return False
    copy = ScratchCopy(target, cluster.run_id, cluster)
    try:
        connection = connect({**copy.target, "login_db": "template1"})
        try:
            with transaction(connection) as cursor:
                cursor.execute(
                    "SELECT count(*) FROM pg_catalog.pg_stat_activity"
                    " WHERE datid IS NOT NULL AND pid <> pg_catalog.pg_backend_pid()"
                )
                return one_row(cursor)[0] > 0
        finally:
            connection.close()
    except RunbookError:
        return True


def restore(
    program: PgBackRest, cluster: ScratchCluster, made: Json, database: str, jobs: int, has_data: bool
) -> None:
    """Restore a backup into the data folder of a scratch cluster, for a recovery to its restore point.

    Nothing that the configuration file says of a restore of production may hold: neither where links and tablespaces
    lead, which would be production's own, nor what else it recovers to.

    Args:
        made: engine of the manifest.
        database: the only one whose rows are restored; files of others are empty (pgbackrest, db-include).
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
        *([] if database in BUILT_IN else [f"--db-include={database}"]),
        "--delta" if has_data else "--no-delta",
        f"--process-max={jobs}",
    )
