# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The proof that disk and database agree, both ways: each row has its file, and files without a row are named.

Names are compared letter by letter with those that the folders list, so that a file system which also answers to
other spellings hides no difference. Like the plan of renames this uses a temporary database on disk.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

from .folder import LibraryFolder
from .paths import TEMPORARY_PREFIX, UnusablePath, below_library, shown, split

__all__ = ["FileAgreement"]

SCHEMA = """
    CREATE TABLE file_row (path BLOB PRIMARY KEY, names TEXT, raw TEXT) WITHOUT ROWID;
    CREATE TABLE entry (path BLOB PRIMARY KEY, kind TEXT) WITHOUT ROWID;
"""


class FileAgreement:
    """Rows of the database and files of the library, side by side.

    Args:
        folder: of the library.
        rows: (label of the column, path as the database has it).
        prefix: see below_library.

    Attributes:
        elsewhere: rows whose path is not below the library.
        unusable: rows whose path cannot be one; each is a row without a file.
    """

    def __init__(self, folder: LibraryFolder, rows: Iterable[tuple[str, str]], prefix: str) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(SCHEMA)
        self._database.execute("BEGIN")
        self.elsewhere = 0
        self.unusable: list[str] = []
        for label, path in rows:
            try:
                below = below_library(path, prefix)
            except UnusablePath as error:
                self.unusable.append(str(error))
                continue
            if below is None:
                self.elsewhere += 1
            else:
                self._database.execute(
                    "INSERT OR IGNORE INTO file_row VALUES (?, ?, ?)", (below, label, path)
                )
        self._database.executemany("INSERT INTO entry VALUES (?, ?)", folder.walk())

    def close(self) -> None:
        self._database.close()

    def rows(self) -> int:
        """Number of rows whose file is to be below the library."""
        return self._database.execute("SELECT count(*) FROM file_row").fetchone()[0]

    def without_file(self) -> Iterator[tuple[str, str, bytes, str]]:
        """Yields (label, path in the database, path below the library, sentence) of each row without a file."""
        for label, raw, path, kind in self._database.execute(
            "SELECT r.names, r.raw, r.path, e.kind FROM file_row r LEFT JOIN entry e USING (path)"
            " WHERE e.kind IS NULL OR e.kind <> 'file' ORDER BY path"
        ):
            what = "is missing" if kind is None else "is a symbolic link" if kind == "link" else "is no file"
            yield label, raw, path, f"{shown(path)} {what}"

    def without_row_count(self) -> int:
        """Number of entries that no row has."""
        return self._database.execute(
            "SELECT count(*) FROM entry e WHERE NOT EXISTS (SELECT 1 FROM file_row r WHERE r.path = e.path)"
        ).fetchone()[0]

    def without_row(self, limit: int) -> list[str]:
        """The first few entries that no row has, for people."""
        return [
            shown(path)
            for (path,) in self._database.execute(
                "SELECT path FROM entry e WHERE NOT EXISTS (SELECT 1 FROM file_row r WHERE r.path = e.path)"
                " ORDER BY path LIMIT ?",
                (limit,),
            )
        ]

    def temporary_names(self) -> list[str]:
        """Entries that bear a temporary name of ours."""
        return [
            shown(path)
            for (path,) in self._database.execute(
                "SELECT path FROM entry WHERE instr(path, ?) > 0 ORDER BY path", (TEMPORARY_PREFIX,)
            )
            if split(path)[1].startswith(TEMPORARY_PREFIX)
        ]
