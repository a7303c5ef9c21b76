# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The renaming itself: batch by batch, first in the journal, then on disk, until each file is where it is to be."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from ..activity import advance, begin
from ..errors import StepFailed
from .folder import LibraryFolder, Unreachable
from .journal import BATCH, Move, RenameJournal
from .paths import shown, split
from .plan import RenamePlan

__all__ = ["rename_files"]


def rename_files(plan: RenamePlan, folder: LibraryFolder, journal: RenameJournal) -> int:
    """Do every move of the plan.

    Args:
        plan: found to be without obstacles.
        folder: of the library.
        journal: open and read.

    Returns:
        How many moves were done.

    Raises:
        StepFailed: the journal cannot be written, or something came into the way since it was looked for; the
            next run goes on from the journal.
    """
    _, total = plan.count()
    begin("renaming files", total)
    done = 0
    moves = plan.moves()
    while True:
        batch = list(itertools.islice(moves, BATCH))
        if not batch:
            return done
        try:
            journal.note(_entries(folder, batch))
            for _, source, target in batch:
                folder.move(source, target)
                done += 1
            folder.sync({split(path)[0] for _, source, target in batch for path in (source, target)})
        except (OSError, Unreachable) as error:
            what = (
                " -> ".join(shown(path) for path in batch[done % BATCH][1:]) if done % BATCH else "a rename"
            )
            raise StepFailed(
                "renaming_stopped",
                f"Renaming stopped at {what} after {done} of {total} renames: {getattr(error, 'strerror', error)}."
                " Remove the cause, and run the same command again: it resumes from its journal.",
            ) from None
        advance(len(batch))


def _entries(folder: LibraryFolder, batch: Iterable[tuple[str, bytes, bytes]]) -> list[Move]:
    """What the journal is to say of these moves; a file is recognised by its number, whatever its name."""
    entries: list[Move] = []
    aside: dict[bytes, tuple[int, int]] = {}
    for file, source, target in batch:
        # This same batch is to put it aside: it does not have its temporary name yet.
        number = aside.get(source)
        if number is None:
            status = folder.status(source)
            if status is None:
                raise StepFailed(
                    "renaming_stopped",
                    f"{shown(source)} disappeared while files were being renamed. Run the same command again: it"
                    " resumes from its journal.",
                )
            number = (status.st_dev, status.st_ino)
        aside[target] = number
        entries.append(Move(file=file, source=source, target=target, device=number[0], inode=number[1]))
    return entries
