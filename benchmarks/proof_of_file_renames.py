# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The renaming of real files killed at random points, and whether files and rows agree after the next run."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from subprocess import Popen
from typing import Any

from psycopg2 import sql

from benchmarks.library_on_disk import LibraryOnDisk
from benchmarks.measurement import Measurement, first_of
from demo.local_server import LocalServer

__all__ = ["measure"]

WHAT = "kills of the renaming after which files and rows agree again with the next run"
FILES = 2000
FOLDERS = 20
DATABASE = "file_renames"
ENDED = "after the last receipt"
BETWEEN = "between renames"
SHARE_AT_A_RENAME = 0.5


def measure(
    server: LocalServer,
    kills: int,
    chance: Random,
    say: Callable[[str], None],
    files: int = FILES,
    follow: Callable[[LibraryOnDisk], dict[str, Any]] = LibraryOnDisk.follow,
) -> Measurement:
    """Change all paths, kill the renaming with SIGKILL, let the next run end it, compare; again and again.

    Every time the paths of all files change, some of them in swaps, chains and circles. Half of the kills come as
    soon as one file, drawn by lot, has its new name; the moments of the others are spread evenly from the opening of
    the journal to the end of the process. Every fourth time the database is rolled back after the kill, so that the
    next run has to bring the names back.

    Args:
        server: LocalServer.
        kills: how many.
        files: how many real files.
        follow: the next run; what it answers is a failure where it says so.
    """
    disagreed: list[str] = []
    moments: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="proof-files-") as folder, _database(server):
        names = [f"{number % FOLDERS}/file {number}.mid" for number in range(files)]
        library = LibraryOnDisk(server, DATABASE, Path(folder), names)
        seconds = _seconds_of_a_whole_run(library, chance)
        for number in range(1, kills + 1):
            before = library.paths()
            pairs = _new_names(sorted(before), number, chance)
            library.rename(pairs)
            process = library.start_following()
            _wait_for_the_journal(library, process)
            if chance.random() < SHARE_AT_A_RENAME:
                _wait_for_the_file(library, chance.choice(sorted(pairs.values())), process)
            else:
                time.sleep(chance.random() * seconds)
            process.kill()
            process.communicate()
            moment = _moment(library, before, pairs)
            moments[moment] += 1
            # Runs differ in their speed: kills behind the end are wasted, and so draw the next ones forward.
            seconds *= 0.9 if moment == ENDED else 1.05
            if number % 4 == 0 and library.waits():
                library.rename({new: old for old, new in pairs.items()}, "rollback")
            answer = follow(library)
            reason = answer["msg"] if answer.get("failed") else library.disagreement()
            if reason:
                disagreed.append(f"kill {number}: {reason}")
                library.lay_anew()
            if number % 20 == 0:
                say(f"{number} kills")
    notes = [
        f"{files} files; killed "
        + ", ".join(f"{count} times {moment}" for moment, count in sorted(moments.items())),
        *first_of(disagreed),
    ]
    return Measurement(WHAT, kills, kills - len(disagreed), kills, holds=moments[BETWEEN] > 0, notes=notes)


@contextlib.contextmanager
def _database(server: LocalServer) -> Iterator[None]:
    name = sql.Identifier(DATABASE)
    with contextlib.closing(server.connect("postgres")) as outside:
        outside.autocommit = True
        with outside.cursor() as cursor:
            cursor.execute(sql.SQL("CREATE DATABASE {}").format(name))
            try:
                yield
            finally:
                cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def _new_names(names: list[str], number: int, chance: Random) -> dict[str, str]:
    """Other paths for all: two thirds new ones, the others exchanged among each other in circles and chains."""
    chance.shuffle(names)
    exchanged, renewed = names[: len(names) // 3], names[len(names) // 3 :]
    pairs = {name: f"{name.split('/')[0]}/{number} {place}.mid" for place, name in enumerate(renewed)}
    place = 0
    while place < len(exchanged):
        group = exchanged[place : place + chance.randint(1, 6)]
        place += len(group)
        last = group[0] if chance.random() < 0.5 else f"{group[-1].split('/')[0]}/{number} end {place}.mid"
        pairs.update(zip(group, [*group[1:], last], strict=True))
    return {old: new for old, new in pairs.items() if old != new}


def _seconds_of_a_whole_run(library: LibraryOnDisk, chance: Random) -> float:
    """From the opening of the journal to the end of the process."""
    library.rename(_new_names(sorted(library.paths()), 0, chance))
    process = library.start_following()
    _wait_for_the_journal(library, process)
    begun = time.monotonic()
    _, errors = process.communicate()
    if library.disagreement():
        raise RuntimeError(f"a run that nobody kills does not end well: {errors.decode()[-500:]}")
    return time.monotonic() - begun


def _wait_for_the_file(library: LibraryOnDisk, name: str, process: Popen[str]) -> None:
    path = library.root / name
    if path.exists():
        return  # a name that is handed on is there from the beginning
    while process.poll() is None and not path.exists():
        pass  # without a pause: a rename takes some microseconds


def _wait_for_the_journal(library: LibraryOnDisk, process: Popen[str]) -> None:
    while process.poll() is None and not any(library.journals()):
        time.sleep(0.001)


def _moment(library: LibraryOnDisk, before: set[str], pairs: dict[str, str]) -> str:
    if not library.waits():
        return ENDED
    names = library.names().keys()
    if names == before:
        return "before the first rename"
    return "behind the last rename" if names == (before - pairs.keys()) | set(pairs.values()) else BETWEEN
