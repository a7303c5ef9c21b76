# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which renames take the files from where they lie to where they are to be, and in which order.

Files that swap names, or pass them on in a chain or a circle, cannot be renamed directly: a file whose name another
one wants gets a temporary name first. Names are compared by caseless_key: those that differ only in case or normal
form count as one, and a change of case alone goes through a temporary name too. So the same plan works on every file
system.

The plan is a private temporary database of SQLite, which goes to disk beyond a few megabytes: the memory that it takes
does not grow with the number of files. Nothing here looks at the library.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from .journal import Move
from .paths import caseless_key, temporary_path

__all__ = ["RenamePlan"]

SCHEMA = """
    CREATE TABLE noted (file TEXT, path BLOB, device INTEGER, inode INTEGER);
    CREATE INDEX noted_file ON noted (file);
    CREATE TABLE wanted (file TEXT PRIMARY KEY, source BLOB, target BLOB) WITHOUT ROWID;
    CREATE INDEX wanted_source ON wanted (source);
    CREATE INDEX wanted_target ON wanted (target);
    CREATE TABLE rename (
        file TEXT PRIMARY KEY, source BLOB, target BLOB, source_key TEXT, target_key TEXT
    ) WITHOUT ROWID;
    CREATE INDEX rename_source ON rename (source);
    CREATE INDEX rename_source_key ON rename (source_key);
    CREATE INDEX rename_target_key ON rename (target_key);
"""


class RenamePlan:
    """The renames of one run: what is known and wanted is added first, then problems and moves are read from it."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(SCHEMA)
        # Nobody else sees it and it ends with the process: one transaction, never committed.
        self._database.execute("BEGIN")

    def close(self) -> None:
        self._database.close()

    # What is known -------------------------------------------------------------------------------------

    def add_noted(self, move: Move) -> None:
        """A rename of the journal: the file lies at one of its two ends."""
        ends = [
            (move["file"], path, move["device"], move["inode"]) for path in (move["source"], move["target"])
        ]
        self._database.executemany("INSERT INTO noted VALUES (?, ?, ?, ?)", ends)

    def noted(self, file: str) -> list[tuple[bytes, int, int]]:
        """Where the journal says that a file may lie, the latest first: list of (path, device, inode)."""
        return self._database.execute(
            "SELECT path, device, inode FROM noted WHERE file = ? GROUP BY path, device, inode"
            " ORDER BY max(rowid) DESC",
            (file,),
        ).fetchall()

    def add_wanted(self, file: str, source: bytes, target: bytes) -> None:
        """A file that the database wants at ``target`` and had at ``source`` before."""
        self._database.execute("INSERT INTO wanted VALUES (?, ?, ?)", (file, source, target))

    def wanted(self) -> Iterator[tuple[str, bytes, bytes]]:
        """Yields (file, source, target) as they were added."""
        return iter(self._database.execute("SELECT file, source, target FROM wanted"))

    def add_rename(self, file: str, source: bytes, target: bytes) -> None:
        """A file that was found at ``source`` and has to get to ``target``, another path."""
        self._database.execute(
            "INSERT INTO rename VALUES (?, ?, ?, ?, ?)",
            (file, source, target, caseless_key(source), caseless_key(target)),
        )

    # What follows --------------------------------------------------------------------------------------

    def count(self) -> tuple[int, int]:
        """(files to rename, renames that it takes)."""
        files, aside = self._database.execute(
            f"SELECT count(*), total(({self._IS_ASIDE})) FROM rename r"
        ).fetchone()
        return files, files + int(aside)

    def renames(self) -> Iterator[tuple[str, bytes, bytes]]:
        """Yields (file, source, target), by folder."""
        return iter(self._database.execute("SELECT file, source, target FROM rename ORDER BY source"))

    def twins(self) -> Iterator[tuple[bytes, bytes, bytes, bytes]]:
        """Files that are to get one name, or names that some file systems take for one.

        Yields:
            (target, file's source, other target, other source), each pair once.
        """
        return iter(
            self._database.execute(
                "SELECT a.target, a.source, b.target, b.source FROM rename a JOIN rename b"
                " ON b.target_key = a.target_key AND b.file > a.file ORDER BY a.target"
            )
        )

    def leaves(self, path: bytes) -> bool:
        """Whether a file of the plan lies at exactly this path and is going to leave it."""
        return (
            self._database.execute("SELECT 1 FROM rename WHERE source = ? LIMIT 1", (path,)).fetchone()
            is not None
        )

    def wants(self, path: bytes) -> bool:
        """Whether the path is where a file that was added is to be, found or not."""
        return self._database.execute("SELECT 1 FROM wanted WHERE target = ?", (path,)).fetchone() is not None

    def knows(self, path: bytes) -> bool:
        """Whether the path is where a file that was added was, or is to be."""
        found = self._database.execute("SELECT 1 FROM wanted WHERE source = ?", (path,)).fetchone()
        return found is not None or self.wants(path)

    def leaving_like(self, path: bytes) -> list[bytes]:
        """Paths of files of the plan that some file systems take for this one."""
        return [
            source
            for (source,) in self._database.execute(
                "SELECT source FROM rename WHERE source_key = ?", (caseless_key(path),)
            )
        ]

    _IS_ASIDE = "SELECT EXISTS (SELECT 1 FROM rename t WHERE t.target_key = r.source_key)"

    def moves(self) -> Iterator[tuple[str, bytes, bytes]]:
        """The renames in their order: files whose names are wanted step aside first, then each goes to its place.

        Yields:
            (file, source, target)
        """
        for file, source in self._database.execute(
            f"SELECT r.file, r.source FROM rename r WHERE ({self._IS_ASIDE}) ORDER BY r.source"
        ):
            yield file, source, temporary_path(source, file)
        for file, source, target, aside in self._database.execute(
            f"SELECT r.file, r.source, r.target, ({self._IS_ASIDE}) FROM rename r ORDER BY r.source"
        ):
            yield file, temporary_path(source, file) if aside else source, target
