# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A backup on disk: a dump in directory format and a manifest that knows every byte of it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Sequence

from ..durable import write_file_durably
from ..errors import Refused, StepFailed
from ..ledger.run_folder import make_run_folder
from ..own_files import is_link_of_another, open_regular, read_regular
from ..postgres.connection import client_options
from ..postgres.programs import find_program, run_program
from ..shapes import Json, Target
from .encryption import Encryption
from .restoring import restore_folder

__all__ = ["BackupFiles", "check_room", "remove_unencrypted"]

BLOCK_BYTES = 1024 * 1024


#: ENOSPC, as the C library says it under LC_MESSAGES=C.
NO_SPACE = "No space left on device"


def check_room(folder: str, needed_bytes: int, otherwise: str = "") -> None:
    """Refuse a backup folder that cannot be written, or that has no room.

    Args:
        folder: backup_dir; it or the nearest folder above it must exist.
        needed_bytes: size of the database, which a compressed dump stays below.
        otherwise: what else helps where there is no room; a sentence that begins with a space.

    Raises:
        Refused: saying what is wrong.
    """
    if is_link_of_another(folder):
        raise Refused(
            "backup_dir_unusable",
            f"backup_dir {folder} is a link that another user has made, who decides where backups would be written."
            " Choose another backup_dir, or name the folder itself.",
        )
    existing = os.path.abspath(folder)
    while not os.path.lexists(existing):
        existing = os.path.dirname(existing)
    if not os.path.isdir(existing):
        raise Refused(
            "backup_dir_unusable",
            f"backup_dir {folder} is not a folder: {existing} is a file. Choose another backup_dir.",
        )
    if not os.access(existing, os.W_OK | os.X_OK):
        raise Refused(
            "backup_dir_unusable",
            f"The user who makes the backup may not write to backup_dir {folder}: correct its owner or permissions.",
        )
    try:
        free = shutil.disk_usage(existing).free
    except OSError as error:
        raise Refused(
            "backup_dir_unusable",
            f"backup_dir {folder} cannot be used: {error.strerror}. Correct that, or choose another.",
        ) from None
    if free < needed_bytes:
        raise Refused(
            "backup_dir_full",
            f"backup_dir {folder} has {free // 2**20} MiB free, but the database has {needed_bytes // 2**20} MiB."
            f" Make room, or choose another backup_dir.{otherwise}",
        )


def _sha256_of_file(path: str) -> str:
    digest = hashlib.sha256()
    with open_regular(path) as file:
        for block in iter(lambda: file.read(BLOCK_BYTES), b""):
            digest.update(block)
    return digest.hexdigest()


class BackupFiles:
    """The files of one backup: ``<backup_dir>/<run_id>/`` with ``dump/`` and ``manifest.json``.

    Args:
        encryption: of the files in ``dump/``; while a step works on them ``plain/`` has them as they are.
    """

    def __init__(
        self, backup_dir: str, run_id: str, name: str = "backup", encryption: Encryption | None = None
    ) -> None:
        self.encryption = Encryption() if encryption is None else encryption
        self.folder = os.path.join(os.path.abspath(backup_dir), run_id, name)
        self.dump = os.path.join(self.folder, "dump")
        self.plain = os.path.join(self.folder, "plain")
        self.manifest_path = os.path.join(self.folder, "manifest.json")

    def create_folder(self) -> None:
        """Make the folder, readable by its owner only.

        Raises:
            Refused: when it cannot be made, or exists already.
        """
        try:
            make_run_folder(os.path.dirname(self.folder))
            os.mkdir(self.folder, 0o700)
        except FileExistsError:
            raise Refused(
                "backup_exists",
                f"This run has already made its backup: {self.folder} exists. Start a new run.",
            ) from None
        except OSError as error:
            raise Refused(
                "backup_dir_unusable",
                f"The backup folder {self.folder} cannot be made: {error.strerror}. Correct backup_dir.",
            ) from None

    def make_dump(
        self, target: Target, bindir: str, snapshot: str, jobs: int, options: Sequence[str] = ()
    ) -> None:
        """Dump the target's database as the exported snapshot sees it.

        Args:
            options: further ones of pg_dump.
        """
        folder = self.plain if self.encryption else self.dump
        options = [
            *client_options(target),
            *options,
            "--format=directory",
            f"--file={folder}",
            f"--jobs={jobs}",
            f"--snapshot={snapshot}",
        ]
        try:
            run_program(find_program("pg_dump", bindir), options, target)
        except StepFailed as error:
            if NO_SPACE not in error.reason:
                raise
            raise StepFailed(
                "backup_dir_full",
                f"{os.path.dirname(self.folder)} ran full while pg_dump wrote the backup: {error.reason.rstrip('.')}."
                " Make room, or choose another backup_dir.",
            ) from None
        if self.encryption:
            self.encryption.encrypt_folder(self.plain, self.dump)
        os.chmod(self.dump, 0o700)
        for name in os.listdir(self.dump):
            os.chmod(os.path.join(self.dump, name), 0o600)

    def remove(self) -> None:
        """Remove what a failed backup has written: half a dump is of no use to anybody."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def files(self) -> dict[str, Json]:
        """dict name -> {"sha256", "bytes"} of what lies in the dump folder now."""
        return {
            name: {
                "sha256": _sha256_of_file(os.path.join(self.dump, name)),
                "bytes": os.path.getsize(os.path.join(self.dump, name)),
            }
            for name in sorted(os.listdir(self.dump))
        }

    def write_manifest(self, manifest: Json) -> str:
        """Write the manifest durably; returns its SHA-256."""
        text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False)
        write_file_durably(self.manifest_path, text)
        return hashlib.sha256(text.encode("utf-8")).hexdigest()

    def check_manifest(self, expected_sha256: str | None) -> Json:
        """The manifest, after checking that it is the one that was written.

        Args:
            expected_sha256: None where nobody can be asked: then it need only be readable.

        Raises:
            StepFailed: it is missing or changed.
        """
        try:
            text = read_regular(self.manifest_path)
        except (OSError, UnicodeDecodeError) as error:
            raise StepFailed(
                "backup_damaged",
                f"The manifest of the backup, {self.manifest_path}, cannot be read: {error}. Do not use this backup.",
            ) from None
        if expected_sha256 not in (None, hashlib.sha256(text.encode("utf-8")).hexdigest()):
            raise StepFailed(
                "backup_damaged",
                f"The manifest of the backup, {self.manifest_path}, was changed after it was written. Do not use this"
                " backup.",
            )
        return json.loads(text)

    def read_manifest(self, expected_sha256: str) -> Json:
        """The manifest, after checking it and every file of the dump bit by bit.

        Raises:
            StepFailed: naming the file that is missing, changed or new.
        """
        manifest = self.check_manifest(expected_sha256)
        if not manifest["files"]:
            return manifest  # they are in a repository, whose program checks them
        try:
            there = self.files()
        except OSError as error:
            raise StepFailed(
                "backup_damaged", f"The backup {self.dump} cannot be read: {error.strerror}. Do not use it."
            ) from None
        recorded = manifest["files"]
        for name in sorted(set(recorded) | set(there)):
            if recorded.get(name) != there.get(name):
                what = "missing" if name not in there else "new" if name not in recorded else "changed"
                raise StepFailed(
                    "backup_damaged",
                    f"The backup was damaged after it was made: {self.dump}/{name} is {what}. Do not use it.",
                )
        return manifest

    def restore(self, target: Target, database: str, bindir: str, jobs: int, manifest: Json) -> None:
        """Restore into ``database`` (empty) of the target's server; any error ends it.

        Args:
            manifest: of this backup. Those of older releases say neither whether it is encrypted nor who has to be
                allowed to create where.
        """
        encryption = self.encryption.as_was(manifest.get("encryption", "none"))
        creators = manifest["settings"].get("creators", [])
        # Several jobs might make a foreign key before the rows are there that another job brings by the root (manual,
        # pg_dump, --load-via-partition-root).
        jobs = 1 if manifest.get("by_root") else jobs
        with encryption.decrypted(self.dump, self.plain) as folder:
            restore_folder(
                folder,
                target,
                database,
                bindir,
                jobs,
                creators,
                bool(manifest.get("trigger_states")),
                manifest.get("lone_extensions", []),
            )


def remove_unencrypted(backup_dir: str, run_ids: Iterable[str]) -> None:
    """Remove what steps that were killed have left unencrypted beside the backups of these runs."""
    for run_id in run_ids:
        for name in ("backup", "emergency_backup"):
            shutil.rmtree(BackupFiles(backup_dir, run_id, name).plain, ignore_errors=True)
