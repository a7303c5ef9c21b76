# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The journal of renames on the host that holds the files: each is on disk there before it happens.

A file of lines; each is a digest, a blank and JSON, and the digest is over the digest before it and that JSON. It is
only ever added to. What a kill or a loss of power leaves of a line that was being written is recognised by its digest
and cut off: nothing that it tells of had happened yet. Lines are written and synced in batches before any rename of
the batch, so a hundred thousand renames cost some hundred syncs.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import tempfile

from ..errors import Refused, StepFailed

__all__ = ["BATCH", "RenameJournal"]

# Renames between two syncs of the journal.
BATCH = 256
BLOCK = 4096
# A line of the journal without its paths: digest, key of the file, numbers.
BYTES_A_LINE = 300
FIRST_DIGEST = "0" * 64


class RenameJournal:
    """The journal of one database on one host.

    Usage: ``open``, ``read`` what an earlier process noted, ``note`` more, ``archive`` when database and disk agree.

    Args:
        folder: library_state_dir.
        identity: which database (see connection.server_identity).
        first_set: number of the oldest change that the files have not followed; what a journal says is true until
            that change is closed, and of no use afterwards.
        root: folder of the library.
    """

    def __init__(self, folder, identity, first_set, root):
        self.folder = os.path.abspath(folder)
        self._name = f"renames-{identity['system_identifier']}-{identity['database_oid']}-"
        self.path = os.path.join(self.folder, f"{self._name}{first_set}.journal")
        self._about = {
            "system_identifier": identity["system_identifier"],
            "database": identity["database"],
            "library_root": os.path.realpath(root),
        }
        self._file = None
        self._last = FIRST_DIGEST
        self._whole_bytes = 0

    def check_place(self, renames=(), moves=0):
        """Find out whether a journal of these renames could be written.

        Args:
            renames: iterable of (file, source, target).
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
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder) as file:
                # A file system that is full still takes names.
                file.write(b" " * BLOCK)
                file.flush()
                os.fsync(file.fileno())
                room = os.fstatvfs(file.fileno())
        except OSError as error:
            raise Refused(
                "library_journal_unwritable",
                f"The folder {self.folder} for the journal of renames cannot be written ({error.strerror}): choose"
                " another library_state_dir.",
            ) from None
        free = room.f_bavail * room.f_frsize
        if free < needed:
            raise Refused(
                "library_journal_unwritable",
                f"The folder {self.folder} has no room for the journal of renames, which takes up to {needed} bytes;"
                f" {free} are free: make room, or choose another library_state_dir. No file was renamed by this"
                " step.",
            )

    def open(self, write):
        """Open it, and make it where there is none and ``write`` is true.

        Raises:
            Refused: library_state_dir cannot be used, or another process renames.
        """
        try:
            if write:
                os.makedirs(self.folder, mode=0o700, exist_ok=True)
                flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
                self._file = os.fdopen(os.open(self.path, flags, 0o600), "r+b", buffering=0)
            elif os.path.exists(self.path):
                self._file = io.FileIO(self.path)
        except OSError as error:
            raise Refused(
                "library_journal_unwritable",
                f"The journal {self.path} cannot be used ({error.strerror}): choose another library_state_dir.",
            ) from None
        if write:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                ours = os.path.samestat(os.fstat(self._file.fileno()), os.stat(self.path))
            except (BlockingIOError, FileNotFoundError):
                ours = False
            if not ours:
                raise Refused(
                    "library_in_use", f"Another process renames files of this library: it holds {self.path}."
                )
            _sync_folder(self.folder)

    def read(self):
        """What was noted so far.

        Yields:
            dict with file, source, target (bytes), device and inode, in the order in which it was noted.

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
                yield {**entry, "source": _to_bytes(entry["source"]), "target": _to_bytes(entry["target"])}

    def _checked(self, line):
        """The entry of a whole line that follows the one before it, or None."""
        digest, _, text = line.rstrip(b"\n").partition(b" ")
        if not line.endswith(b"\n") or digest.decode("ascii", "replace") != _digest(self._last, text):
            return None
        self._last = digest.decode("ascii")
        return json.loads(text)

    def _refuse_unless_torn(self, lines, number):
        """Only the batch that was being written when the process or the machine died can be damaged."""
        if sum(1 for _ in lines) > BATCH:
            raise Refused(
                "library_journal_altered",
                f"The journal {self.path} was changed after it was written (line {number}): where the files lie can no"
                " longer be told from it. Compare library and database by hand, then remove it.",
            )

    def _check_about(self, entry):
        if entry != self._about:
            raise Refused(
                "library_journal_of_another_library",
                f"The journal {self.path} is about {entry.get('library_root')} and database {entry.get('database')},"
                f" not about {self._about['library_root']} and {self._about['database']}: renames begun there were not"
                " ended. Set library_root to that folder and run again.",
            )

    def note(self, moves):
        """Have these renames on disk before this returns.

        Args:
            moves: list of dict as ``read`` yields them; ``read`` must have come to its end before.
        """
        entries = [
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
        try:
            # What lies behind is the rest of a line that was torn.
            self._file.truncate(self._whole_bytes)
            self._file.seek(self._whole_bytes)
            self._whole_bytes += len(data)
            while data:
                data = data[self._file.write(data) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            raise StepFailed(
                "library_journal_unwritable",
                f"The journal in library_state_dir {self.folder} cannot be written ({error.strerror}), and nothing is"
                " renamed that it does not tell of: mend that, then let the files follow again; the next run goes on"
                " from the journal.",
            ) from None

    def archive(self):
        """Put the journal aside, and remove older ones: they tell of nothing that is still to be done.

        Returns:
            str: path of the archived journal, or None where nothing was noted.
        """
        archived = os.path.join(self.folder, f"{self._name}last.journal") if self._whole_bytes else None
        if archived:
            os.replace(self.path, archived)
        for name in os.listdir(self.folder):
            path = os.path.join(self.folder, name)
            if name.startswith(self._name) and path != archived:
                os.unlink(path)
        _sync_folder(self.folder)
        self.close()
        return archived

    def close(self):
        if self._file is not None:
            self._file.close()
            self._file = None


def _to_text(path):
    # Not by the locale, which may be another one in the next run.
    return path.decode("utf-8", "surrogateescape")


def _to_bytes(text):
    return text.encode("utf-8", "surrogateescape")


def _digest(previous, text):
    return hashlib.sha256(previous.encode("ascii") + text).hexdigest()


def _sync_folder(folder):
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
