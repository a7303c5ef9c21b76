# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backups taken while an application writes, each restored and compared with what its snapshot saw."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from ansible_collections.pgops.runbook.plugins.module_utils.backup.copy import CopyDatabase
from ansible_collections.pgops.runbook.plugins.module_utils.backup.files import BackupFiles
from ansible_collections.pgops.runbook.plugins.module_utils.backup.snapshot import back_up
from ansible_collections.pgops.runbook.plugins.module_utils.errors import StepFailed

from benchmarks.library_database import library_database, target_of
from benchmarks.measurement import Measurement
from benchmarks.writing_load import WritingLoad, writing
from demo.local_server import LocalServer
from tests.integration.backup.proving import restore_and_compare

__all__ = ["measure"]

WHAT = "backups taken under a writing load and proven equal"
TRANSACTIONS_A_SECOND = 200
FILES_OF_THE_LIBRARY = 2000


def measure(
    server: LocalServer,
    backups: int,
    chance: Random,
    say: Callable[[str], None],
    make_backup: Callable[..., dict] = back_up,
    writers: int = 2,
    pause: float = 0.0,
) -> Measurement:
    """Back up, restore, compare, while writers change the files without a rest.

    A backup during which the writers were slower than they must be proves less and is made once more; at most
    as many times as there are backups to make. One that is not equal is never made again.

    Args:
        server: LocalServer.
        backups: how many under the full load.
        make_backup: what backs up, as backup_snapshot.back_up.
        writers, pause: see writing().
    """
    proven, slow = 0, 0
    wrong: list[str] = []
    rates = []
    with (
        tempfile.TemporaryDirectory(prefix="proof-load-") as folder,
        library_database(server, "under_load", FILES_OF_THE_LIBRARY) as name,
        writing(server, name, writers, pause) as load,
    ):
        while proven + len(wrong) < backups and slow < backups:
            time.sleep(chance.uniform(0, 0.5))  # begin anywhere in what the writers do
            run = f"proof-{proven + len(wrong) + slow}"
            rate, problem = _one_backup(server, name, Path(folder), run, load, make_backup)
            if problem:
                wrong.append(f"{run}: {problem}")
            elif rate < TRANSACTIONS_A_SECOND:
                slow += 1
            else:
                proven += 1
                rates.append(rate)
                if proven % 5 == 0:
                    say(f"{proven} backups")
    notes = []
    if rates:
        notes.append(
            f"write transactions a second on files during the backups: {min(rates):.0f} to {max(rates):.0f},"
            f" on average {sum(rates) / len(rates):.0f} (at least {TRANSACTIONS_A_SECOND})"
        )
    if slow:
        notes.append(f"{slow} more, equal too, do not count: the writers were slower than that")
    return Measurement(WHAT, proven + len(wrong), proven, backups, notes=[*notes, *wrong])


def _one_backup(
    server: LocalServer,
    name: str,
    folder: Path,
    run: str,
    load: WritingLoad,
    make_backup: Callable[..., dict],
) -> tuple[float, str | None]:
    """(write transactions a second during the backup, what is wrong with it)."""
    files = BackupFiles(str(folder), run)
    copy = CopyDatabase(target_of(server, "postgres"), run)
    try:
        with contextlib.closing(server.connect(name)) as connection:
            begun, written = time.monotonic(), load.committed()
            manifest = make_backup(connection, target_of(server, name), files, bindir=server.bindir)
            rate = (load.committed() - written) / (time.monotonic() - begun)
        digest = files.write_manifest(manifest)
        restore_and_compare(files, files.read_manifest(digest), copy, bindir=server.bindir)
    except StepFailed as error:
        return 0.0, error.reason
    finally:
        copy.drop()
        shutil.rmtree(folder / run, ignore_errors=True)
    return rate, None
