# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What makes the backups of a run: pg_dump of the database, or pgBackRest of its whole server.

What every step may ask of either is here; making a backup and restoring it, which few steps do, is in making.py. What a
step does with it, its receipts and its gates are the same for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from ..errors import Refused
from ..shapes import Connection, Cursor, Identity, Json, Target
from .copy import CopyDatabase, drop_forgotten
from .encryption import Encryption
from .files import check_room
from .pgbackrest.engine import PgBackRestEngine
from .pgbackrest.scratch import ScratchCluster

__all__ = [
    "ENGINE_SPEC",
    "BackupEngine",
    "drop_copy",
    "drop_scratch",
    "engine_of",
    "engine_of_backup",
    "refuse_for_drill",
    "refuse_other_engine",
]

PG_DUMP, PGBACKREST = "pg_dump", "pgbackrest"

ENGINE_SPEC: Json = {
    "engine": {
        "type": "dict",
        "options": {
            "name": {"type": "str", "default": PG_DUMP, "choices": [PG_DUMP, PGBACKREST]},
            "stanza": {"type": "str", "default": ""},
            "config": {"type": "str", "default": ""},
            "backup_command": {"type": "list", "elements": "str", "default": []},
            "type": {"type": "str", "default": "incr", "choices": ["full", "diff", "incr"]},
            "scratch_dir": {"type": "str", "default": ""},
            "keep_scratch": {"type": "bool", "default": False},
        },
    }
}


class BackupEngine(Protocol):
    """What a run asks of the engine of its backups."""

    #: As the variable backup_engine and the receipts have it.
    name: str

    #: Whether the copy is a database of the server of the copies, made by our role; else it has a server of its own.
    copies_on_server: bool

    def emergency_kind(self, wanted: str) -> str:
        """Which backup before a rollback is meant by emergency_backup."""
        ...

    def check(self, cursor: Cursor, identity: Identity, database_bytes: int, proves: bool) -> None:
        """Before anything is done: whether a backup can be made here and proven.

        Args:
            cursor: of a transaction in production; only reads.
            proves: whether more may be done than to look.

        Raises:
            Refused: saying what is missing, and what to type.
        """
        ...

    def check_backup(self, cursor: Cursor, identity: Identity, database_bytes: int, manifest: Json) -> None:
        """Before anything is done: whether a backup that was made and proven is still there, as far as can be seen.

        Raises:
            Refused: it is not, or cannot be restored here.
        """
        ...

    def lost(self, cursor: Cursor, identity: Identity, manifest: Json) -> str | None:
        """Why a backup is no longer where the engine keeps it, by a short look: a sentence without its end, or None.

        Args:
            cursor: of a transaction in production; only reads.

        Raises:
            Refused: that cannot be asked.
        """
        ...

    def copy(self, target: Target, run_id: str) -> CopyDatabase:
        """The copy of a run, whether or not it is there."""
        ...

    def drop_forgotten(self, target: Target, beside: Connection | None = None) -> list[str]:
        """Drop the copies that runs left which were killed long ago; returns their names.

        Args:
            beside: idle connection to the target.
        """
        ...


class DumpEngine:
    """pg_dump, one snapshot and one database at a time."""

    name = PG_DUMP
    copies_on_server = True

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._copy_target: Target = params.get("copy_target") or {}
        self._backup_dir: str = params["backup_dir"]
        self.bindir: str = params.get("pg_bindir") or ""
        self.jobs: int = params.get("jobs") or 2

    def emergency_kind(self, wanted: str) -> str:
        return wanted

    def check(self, cursor: Cursor, identity: Identity, database_bytes: int, proves: bool) -> None:
        check_room(self._backup_dir, database_bytes)

    def check_backup(self, cursor: Cursor, identity: Identity, database_bytes: int, manifest: Json) -> None:
        """Each byte of a dump is looked at when it is restored."""

    def lost(self, cursor: Cursor, identity: Identity, manifest: Json) -> str | None:
        """It keeps nothing elsewhere than in the backup's folder."""
        return None

    def copy(self, target: Target, run_id: str) -> CopyDatabase:
        return CopyDatabase(self._copy_target or target, run_id)

    def drop_forgotten(self, target: Target, beside: Connection | None = None) -> list[str]:
        if self._copy_target:
            return drop_forgotten(self._copy_target)
        return drop_forgotten(target, beside)


def engine_of(params: Mapping[str, Any]) -> BackupEngine:
    """The engine that a step's options name (ENGINE_SPEC)."""
    wanted = params.get("engine") or {}
    if wanted.get("name", PG_DUMP) == PG_DUMP:
        return DumpEngine(params)
    return PgBackRestEngine(
        **{name: value for name, value in wanted.items() if name != "name"},
        rehearsal_host=params.get("rehearsal_host") or "",
        encryption=Encryption.of(params),
        backup_dir=params.get("backup_dir") or "",
        bindir=params.get("pg_bindir") or "",
        jobs=params.get("jobs") or 2,
    )


def engine_of_backup(params: Mapping[str, Any], manifest: Json) -> BackupEngine:
    """The engine that has made a backup, whatever the variables name today.

    Where its repository is, the manifest says; where there is room to restore it, the variables of today.
    """
    made = manifest.get("engine") or {"name": PG_DUMP}
    asked = {**(params.get("engine") or {}), "name": made["name"]}
    if made["name"] == PGBACKREST:
        asked.update({"stanza": made["stanza"], "config": made["config"]})
    return engine_of({**params, "engine": asked})


def refuse_other_engine(params: Mapping[str, Any], outputs: Json) -> None:
    """Between two commands of one run the variable must not change: the copy would be looked for elsewhere.

    Args:
        outputs: of the receipt of step backup.

    Raises:
        Refused: naming the one that has made the backup.
    """
    made = outputs.get("engine", PG_DUMP)
    asked = (params.get("engine") or {}).get("name", PG_DUMP)
    if made != asked:
        raise Refused(
            "backup_engine_unusable",
            f"The backup of this run was made with {made}, and backup_engine is {asked}. Nothing was changed. Type the"
            f" same command with -e backup_engine={made}",
        )


def refuse_for_drill(engine: BackupEngine) -> None:
    """A drill plays on a database of the server of the copies.

    Raises:
        Refused: the engine makes no such copy.
    """
    if not engine.copies_on_server:
        raise Refused(
            "backup_engine_unusable",
            f"A drill plays on a copy that pg_dump makes, and backup_engine is {engine.name}. Nothing was changed. Type"
            f" the same command with -e backup_engine={PG_DUMP}",
        )


def drop_copy(params: Mapping[str, Any], run_id: str, beside: Connection) -> bool:
    """Drop the copy of a run, with whichever engine it was made; returns whether there was one.

    Args:
        beside: idle connection to the target.
    """
    copy_target = params.get("copy_target")
    if copy_target:
        dropped = CopyDatabase(copy_target, run_id).drop()
    else:
        dropped = CopyDatabase(params["target"], run_id).drop(beside)
    return drop_scratch(params, run_id) or dropped


def drop_scratch(params: Mapping[str, Any], run_id: str) -> bool:
    """Drop the scratch cluster of a run, where one is; returns whether it was."""
    wanted = params.get("engine") or {}
    return ScratchCluster(wanted.get("scratch_dir", ""), run_id, wanted.get("keep_scratch", False)).drop()
