# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Single bits of a real backup turned over, and whether the check before a restore finds them."""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from ansible_collections.pgops.runbook.plugins.module_utils.backup.files import BackupFiles
from ansible_collections.pgops.runbook.plugins.module_utils.backup.snapshot import back_up
from ansible_collections.pgops.runbook.plugins.module_utils.errors import StepFailed

from benchmarks.library_database import library_database, target_of
from benchmarks.measurement import Measurement, first_of
from demo.local_server import LocalServer

__all__ = ["measure"]

WHAT = "single bits flipped in a backup and found before it is restored"
FILES_OF_THE_LIBRARY = 500


def measure(
    server: LocalServer,
    flips: int,
    chance: Random,
    say: Callable[[str], None],
    check: Callable[[BackupFiles, str], object] = BackupFiles.read_manifest,
) -> Measurement:
    """Flip one bit at a time and turn it back.

    Args:
        server: LocalServer.
        flips: how many.
        check: what raises StepFailed for a damaged backup, given the SHA-256 of its manifest.
    """
    with tempfile.TemporaryDirectory(prefix="proof-backup-") as folder:
        files, digest = _make_backup(server, folder)
        check(files, digest)
        paths = [Path(files.manifest_path), *sorted(Path(files.dump).iterdir())]
        damaged: Counter[str] = Counter()
        missed = []
        for number in range(1, flips + 1):
            path = chance.choice([path for path in paths if path.stat().st_size])
            place, bit = chance.randrange(path.stat().st_size), chance.randrange(8)
            damaged[path.name] += 1
            with _flipped(path, place, bit):
                try:
                    check(files, digest)
                    missed.append(f"bit {bit} of byte {place} of {path.name}")
                except StepFailed:
                    pass
            if number % 100 == 0:
                say(f"{number} bits")
        refused = None
        try:
            check(files, digest)
        except StepFailed as error:
            refused = error.reason
        bytes_of_backup = sum(path.stat().st_size for path in paths)
    notes = [
        f"{len(damaged)} of {len(paths)} files damaged, the manifest {damaged['manifest.json']} times;"
        f" {bytes_of_backup} bytes in all",
        f"the backup without damage is refused: {refused}"
        if refused
        else "without damage it is taken at the end",
        *first_of(missed),
    ]
    return Measurement(WHAT, flips, flips - len(missed), flips, holds=refused is None, notes=notes)


def _make_backup(server: LocalServer, folder: str) -> tuple[BackupFiles, str]:
    files = BackupFiles(folder, "proof")
    with (
        library_database(server, "bits", FILES_OF_THE_LIBRARY) as name,
        contextlib.closing(server.connect(name)) as connection,
    ):
        manifest = back_up(connection, target_of(server, name), files, bindir=server.bindir)
    return files, files.write_manifest(manifest)


@contextlib.contextmanager
def _flipped(path: Path, place: int, bit: int) -> Iterator[None]:
    with path.open("r+b") as file:
        file.seek(place)
        sound = file.read(1)
        file.seek(place)
        file.write(bytes([sound[0] ^ (1 << bit)]))
        file.flush()
        try:
            yield
        finally:
            file.seek(place)
            file.write(sound)
