# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The engine of backups that works with pgBackRest; what each of its methods is for is in backup/engine.py."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from ...errors import Refused, RunbookError, StepFailed
from ...postgres.answers import one_row
from ...postgres.connection import connect, transaction
from ...shapes import Connection, Cursor, Identity, Json, Target
from ..copy import CopyDatabase
from ..emergency import AUTO, RESTORE_POINT
from ..encryption import Encryption
from ..files import check_room
from .checks import check_engine, check_scratch_dir, owner_of_cluster
from .owner import INSTEAD, Owner
from .program import PgBackRest, check_backup_command, check_names
from .scratch import FORGOTTEN_AFTER_HOURS, ScratchCluster, left_behind
from .settings import read_server

__all__ = ["PgBackRestEngine", "ScratchCopy"]


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
        self.target = self.as_role(cluster.mark().get("role", ""))

    def as_role(self, role: str, database: str = "") -> Target:
        """Connection options of the scratch cluster; by default to the copy."""
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

    def drop(self, beside: Connection | None = None) -> bool:
        return self.cluster.drop()


class PgBackRestEngine:
    """pgBackRest, with one stanza.

    Args:
        stanza, config, type, scratch_dir, keep_scratch, backup_command: as the variables pgbackrest_... have them.
        rehearsal_host: of the inventory's group rehearsal, which has no place here.
        encryption: likewise.
    """

    name = "pgbackrest"
    copies_on_server = False

    def __init__(
        self,
        stanza: str,
        config: str,
        type: str = "incr",
        scratch_dir: str = "",
        keep_scratch: bool = False,
        backup_command: Sequence[str] = (),
        rehearsal_host: str = "",
        encryption: Encryption | None = None,
        backup_dir: str = "",
        bindir: str = "",
        jobs: int = 2,
    ) -> None:
        self.stanza, self.config, self.type = stanza, config, type
        self.scratch_dir, self.keep_scratch = scratch_dir, keep_scratch
        self.backup_command = backup_command
        self.rehearsal_host, self.encryption = rehearsal_host, encryption
        self.backup_dir, self.bindir, self.jobs = backup_dir, bindir, jobs

    def emergency_kind(self, wanted: str) -> str:
        return RESTORE_POINT if wanted == AUTO else wanted

    def program(self, owner: Owner) -> PgBackRest:
        """pgbackrest of the database's host, as the user that the server runs as."""
        return PgBackRest(owner, self.stanza, self.config, self.backup_command)

    def check_variables(self) -> None:
        """
        Raises:
            Refused: the variables are not as this engine needs them.
        """
        check_names(self.stanza, self.config, self.scratch_dir)
        check_backup_command(self.backup_command)
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
        self.check_variables()
        check_engine(cursor, identity, self.program, self.scratch_dir, database_bytes, proves)
        # Of the backup itself only what it must hold is there.
        check_room(self.backup_dir, 0)

    def check_backup(self, cursor: Cursor, identity: Identity, database_bytes: int, manifest: Json) -> None:
        check_names(self.stanza, self.config, self.scratch_dir)
        owner = owner_of_cluster(read_server(cursor), identity)
        check_scratch_dir(self.scratch_dir, owner, database_bytes)
        lost = self.lost(cursor, identity, manifest)
        if lost is not None:
            options = " ".join(self.program(owner).options())
            raise Refused(
                "backup_missing",
                f"{lost}. Nothing was changed. Choose another run; what there is: pgbackrest {options} info",
            )

    def lost(self, cursor: Cursor, identity: Identity, manifest: Json) -> str | None:
        owner = owner_of_cluster(read_server(cursor), identity)
        label = manifest["engine"]["label"]
        if self.program(owner).backup(label=label) is not None:
            return None
        return f"pgbackrest no longer has backup {label} in its repository: its own retention has removed it"

    def copy(self, target: Target, run_id: str) -> ScratchCopy:
        return ScratchCopy(target, run_id, ScratchCluster(self.scratch_dir, run_id, self.keep_scratch))

    def drop_forgotten(self, target: Target, beside: Connection | None = None) -> list[str]:
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
