# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The journal of renames, on the host that holds the files: each rename is on disk there before it happens.

The file only grows. Each line is a digest, a blank and JSON; the digest covers the line's JSON and the digest of the
line before. A line that a kill or a power failure has cut short is recognised by its digest and dropped: what it tells
of had not happened yet. Lines are written and synced in batches, each before the first rename of its batch, so a
hundred thousand renames cost about four hundred syncs.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import io
import json
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import TypedDict

from ..errors import Refused, StepFailed
from ..own_files import NotOurs, refuse_link_of_another
from ..shapes import Identity, Json

__all__ = ["BATCH", "Move", "RenameJournal"]

# Renames between two syncs of the journal.
BATCH = 256
BLOCK = 4096
# A line of the journal without its paths: digest, key of the file, numbers.
BYTES_A_LINE = 300
FIRST_DIGEST = "0" * 64


class Move(TypedDict):
    """One rename of one file."""

    #: What names the file in the database.
    file: str
    #: Paths below the library.
    source: bytes
    target: bytes
    #: Numbers by which the file is recognised, whatever its name (stat(2)).
    device: int
    inode: int


class RenameJournal:
    """The journal of one database on one host.

    ``open`` it, ``read`` what an earlier process noted, ``note`` more, ``archive`` it when database and disk agree.

    Args:
        folder: library_state_dir.
        identity: which database (see connection.server_identity).
        first_set: number of the oldest change that the files have not followed; the journal is needed until that
            change is closed, and of no use afterwards.
        root: folder of the library.
    """

    def __init__(self, folder: str, identity: Identity, first_set: int, root: str) -> None:
        self.folder = os.path.abspath(folder)
        self._name = f"renames-{identity['system_identifier']}-{identity['database_oid']}-"
        self.path = os.path.join(self.folder, f"{self._name}{first_set}.journal")
        self._about = {
            "system_identifier": identity["system_identifier"],
            "database": identity["database"],
            "library_root": os.path.realpath(root),
        }
        self._file: io.FileIO | None = None
        self._last = FIRST_DIGEST
        self._whole_bytes = 0

    def check_place(self, renames: Iterable[tuple[str, bytes, bytes]] = (), moves: int = 0) -> None:
        """Find out whether a journal of these renames could be written.

        Args:
            renames: (file, source, target) of each.
            moves: how many entries they take: a file that is put aside has two.

        Raises:
            Refused: library_state_dir cannot be used, or has not the room.
        """
        files = paths = 0
        for _, source, target in renames:
            files += 1
            paths += len(json.dumps(_to_text(source))) + len(json.dumps(_to_text(target)))
        needed = paths * moves // max(files, 1) + BYTES_A_LINE * moves
        try:
            self._make_folder()
            with tempfile.TemporaryFile(dir=self.folder) as file:
                # A full file system still lets empty files be made.
                file.write(b" " * BLOCK)
                file.flush()
                os.fsync(file.fileno())
                room = os.fstatvfs(file.fileno())
        except OSError as error:
            raise Refused(
                "library_journal_unwritable",
                f"The folder {self.folder} for the journal of renames cannot be written ({error.strerror}). No file was"
                " renamed. Choose another library_state_dir.",
            ) from None
        free = room.f_bavail * room.f_frsize
        if free < needed:
            raise Refused(
                "library_journal_unwritable",
                f"The folder {self.folder} has no room for the journal of renames: it takes up to {needed} bytes, and"
                f" {free} are free. No file was renamed by this step. Make room, or choose another"
                " library_state_dir.",
            )

    def open(self, write: bool) -> None:
        """Open it, and make it where there is none and ``write`` is true.

        Raises:
            Refused: library_state_dir cannot be used, or another process renames.
        """
        try:
            if write:
                self._make_folder()
                self._file = io.FileIO(_open_own(self.path, os.O_RDWR | os.O_CREAT), "r+")
            else:
                refuse_link_of_another(self.folder)
                with contextlib.suppress(FileNotFoundError):
                    self._file = io.FileIO(_open_own(self.path, os.O_RDONLY))
        except OSError as error:
            raise Refused(
                "library_journal_unwritable",
                f"The journal {self.path} cannot be used ({error.strerror}). No file was renamed. Choose another"
                " library_state_dir.",
            ) from None
        if write:
            self._hold(self._opened())
            _sync_folder(self.folder)

    def _make_folder(self) -> None:
        refuse_link_of_another(self.folder)
        os.makedirs(self.folder, mode=0o700, exist_ok=True)

    def _opened(self) -> io.FileIO:
        if self._file is None:
            raise ValueError("the journal is not open")
        return self._file

    def _hold(self, file: io.FileIO) -> None:
        """Keep other processes out as long as the file is open; it may have been archived before it was locked."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours = os.path.samestat(os.fstat(file.fileno()), os.stat(self.path))
        except (BlockingIOError, FileNotFoundError):
            ours = False
        if not ours:
            raise Refused(
                "library_in_use",
                f"Another process is renaming files of this library: it holds {self.path}. Wait until it has finished,"
                " and run again.",
            )

    def read(self) -> Iterator[Move]:
        """What was noted so far.

        Yields:
            The renames in the order in which they were noted.

        Raises:
            Refused: it is about another folder, or was changed.
        """
        if self._file is None:
            return
        lines = io.BufferedReader(io.FileIO(self._file.fileno(), closefd=False))
        lines.seek(0)
        for number, line in enumerate(lines, 1):
            entry = self._checked(line)
            if entry is None:
                self._refuse_unless_torn(lines, number)
                return
            self._whole_bytes += len(line)
            if number == 1:
                self._check_about(entry)
            else:
                yield _move(entry)

    def _checked(self, line: bytes) -> Json | None:
        """The entry of a whole line that follows the one before it, or None."""
        digest, _, text = line.rstrip(b"\n").partition(b" ")
        if not line.endswith(b"\n") or digest.decode("ascii", "replace") != _digest(self._last, text):
            return None
        self._last = digest.decode("ascii")
        return json.loads(text)

    def _refuse_unless_torn(self, lines: Iterable[bytes], number: int) -> None:
        """Only the last batch, which was being written when process or machine died, can be damaged."""
        if sum(1 for _ in lines) > BATCH:
            raise Refused(
                "library_journal_altered",
                f"The journal {self.path} was changed after it was written (line {number}), so that it no longer tells"
                " where the files are. No file was renamed. Compare library and database by hand, then remove it.",
            )

    def _check_about(self, entry: Json) -> None:
        if entry != self._about:
            raise Refused(
                "library_journal_of_another_library",
                f"The journal {self.path} is about {entry.get('library_root')} and database {entry.get('database')},"
                f" not about {self._about['library_root']} and {self._about['database']}. Renames begun there were not"
                " finished. Set library_root to that folder, and run again.",
            )

    def note(self, moves: Sequence[Move]) -> None:
        """Write these renames down; they are on disk when this returns.

        Args:
            moves: what comes next; ``read`` must have come to its end before.

        Raises:
            StepFailed: it cannot be written.
        """
        entries: list[Json] = [
            {**move, "source": _to_text(move["source"]), "target": _to_text(move["target"])} for move in moves
        ]
        if self._whole_bytes == 0:
            entries.insert(0, self._about)
        lines = []
        for entry in entries:
            text = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode("ascii")
            self._last = _digest(self._last, text)
            lines.append(self._last.encode("ascii") + b" " + text + b"\n")
        data = memoryview(b"".join(lines))
        file = self._opened()
        try:
            # Whatever follows is the rest of a torn line.
            file.truncate(self._whole_bytes)
            file.seek(self._whole_bytes)
            self._whole_bytes += len(data)
            while data:
                data = data[file.write(data) :]
            os.fsync(file.fileno())
        except OSError as error:
            raise StepFailed(
                "library_journal_unwritable",
                f"The journal in library_state_dir {self.folder} cannot be written ({error.strerror}), and no file is"
                " renamed that it does not tell of. Correct that, and run the same command again: it resumes from the"
                " journal.",
            ) from None

    def archive(self) -> str | None:
        """Put the journal aside, and remove older ones: nothing that they tell of is left to do.

        Returns:
            Path of the archived journal, or None where nothing was noted.
        """
        archived = os.path.join(self.folder, f"{self._name}last.journal") if self._whole_bytes else None
        if archived:
            os.replace(self.path, archived)
        for name in os.listdir(self.folder):
            path = os.path.join(self.folder, name)
            if name.startswith(self._name) and path != archived:
                # What somebody else has called so is no journal, and no reason to fail.
                with contextlib.suppress(IsADirectoryError, PermissionError):
                    os.unlink(path)
        _sync_folder(self.folder)
        self.close()
        return archived

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _open_own(path: str, flags: int) -> int:
    """Open a journal that we have made, or root; what others have put in its place is not believed, and not written to.

    Raises:
        OSError: it is none.
    """
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_uid in (0, os.geteuid()) and found.st_nlink == 1:
        return descriptor
    os.close(descriptor)
    raise NotOurs(errno.EEXIST, "it is another user's, a link, or no file", path)


def _move(entry: Json) -> Move:
    return Move(
        file=entry["file"],
        source=_to_bytes(entry["source"]),
        target=_to_bytes(entry["target"]),
        device=entry["device"],
        inode=entry["inode"],
    )


def _to_text(path: bytes) -> str:
    # Not with the locale's encoding, which may be another one in the next run.
    return path.decode("utf-8", "surrogateescape")


def _to_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _digest(previous: str, text: bytes) -> str:
    return hashlib.sha256(previous.encode("ascii") + text).hexdigest()


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
