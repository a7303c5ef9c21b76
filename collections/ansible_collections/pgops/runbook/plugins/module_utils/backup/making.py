# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Making a backup, and filling the copy that proves it or the database that is to take production's place."""

from __future__ import annotations

from typing import Optional, Protocol

from ..shapes import Connection, Json, Target
from .copy import CopyDatabase
from .engine import BackupEngine, DumpEngine
from .files import BackupFiles
from .pgbackrest.engine import PgBackRestEngine
from .pgbackrest.making import PgBackRestMaker
from .proof import restore_dump
from .snapshot import back_up

__all__ = ["BackupMaker", "maker_of"]


class BackupMaker(Protocol):
    """What the steps ask that make a backup or restore one."""

    def back_up(
        self,
        connection: Connection,
        target: Target,
        files: BackupFiles,
        run_id: str,
        lock_timeout_seconds: float,
    ) -> Json:
        """Make the backup; returns its manifest (see snapshot.back_up), with bytes, and engine where it is no dump."""
        ...

    def fill_copy(
        self, production: Connection, files: BackupFiles, manifest: Json, copy: CopyDatabase
    ) -> Optional[str]:
        """Make the copy, and restore the backup into it.

        Args:
            production: idle connection to the database whose backup it is.
            manifest: with identity, of that database.

        Returns:
            why rows may differ although the backup is good, as a sentence without its end; else None.
        """
        ...

    def fill_beside(
        self, production: Connection, files: BackupFiles, manifest: Json, restored: CopyDatabase
    ) -> Optional[str]:
        """As fill_copy, of a database that is made on production's own server."""
        ...


class DumpMaker:
    """pg_dump and pg_restore."""

    def __init__(self, engine: DumpEngine) -> None:
        self.engine = engine

    def back_up(
        self,
        connection: Connection,
        target: Target,
        files: BackupFiles,
        run_id: str,
        lock_timeout_seconds: float,
    ) -> Json:
        manifest = back_up(
            connection, target, files, self.engine.bindir, self.engine.jobs, lock_timeout_seconds
        )
        return {**manifest, "bytes": sum(file["bytes"] for file in manifest["files"].values())}

    def fill_copy(
        self, production: Connection, files: BackupFiles, manifest: Json, copy: CopyDatabase
    ) -> Optional[str]:
        restore_dump(files, manifest, copy, self.engine.bindir, self.engine.jobs)
        return None

    def fill_beside(
        self, production: Connection, files: BackupFiles, manifest: Json, restored: CopyDatabase
    ) -> Optional[str]:
        return self.fill_copy(production, files, manifest, restored)


def maker_of(engine: BackupEngine) -> BackupMaker:
    """Who works with an engine."""
    if isinstance(engine, PgBackRestEngine):
        return PgBackRestMaker(engine)
    if isinstance(engine, DumpEngine):
        return DumpMaker(engine)
    raise TypeError(f"nobody makes backups with {engine.name}")
