# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The folder of SQL into which migrations are imported: what it has of them, and new files in it."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...module_utils.errors import Refused
from ...module_utils.sentences import listed
from ..sql.books import books_of
from ..sql.found import number_of
from ..sql.layouts.choice import layout_of
from ..sql.library import NO_LIBRARY, SqlLibrary, read_sql_library
from ..sql.migration import Migration

__all__ = ["Folder", "apply_file", "read_folder_of_imports", "rollback_file", "write_new"]

# Longer names are cut: with number and _rollback.sql they stay below what file systems take (255 bytes).
_LONGEST_NAME = 80


@dataclass(frozen=True)
class Folder:
    """A folder of SQL in the layout plain.

    Attributes:
        known: key of the tool -> the migration that is it.
        replaces: key of those that say so -> keys of what they replace.
    """

    root: Path
    library: SqlLibrary
    known: Mapping[str, Migration]
    replaces: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def replaced(self) -> frozenset[str]:
        """Keys of all that its migrations replace."""
        return frozenset(key for keys in self.replaces.values() for key in keys)

    def stems_for(self, names: Iterable[str]) -> list[str]:
        """What the files of new migrations are called: each has the next number, as in ``012_polls_0002_votes``.

        One whose file is gone, and is required by others that are there, gets the name that it had.

        Raises:
            Refused: see _check_numbered.
        """
        self._check_numbered()
        digits = [match[0] for one in self.library.migrations if (match := re.match(r"\d+", one.stem))]
        numbers = itertools.count(max(map(int, digits), default=0) + 1)
        width = max([3, *map(len, digits)])
        stems = {one.stem for one in self.library.migrations}
        required = {name for one in self.library.migrations for name in one.apply.header.requires or ()}
        had: dict[str, str] = {re.sub(r"\A\d+_", "", stem): stem for stem in sorted(required - stems)}
        return [had.pop(words, "") or f"{next(numbers):0{width}}_{words}" for words in map(_words, names)]

    def _check_numbered(self) -> None:
        """Refuse to put numbered files before those without a number, which come after all that have one.

        Raises:
            Refused: naming them.
        """
        without = [one.apply.name for one in self.known.values() if number_of(one.stem) is None]
        if without:
            raise Refused(
                "import_in_the_way",
                f"{self.root} has migrations without a number, which would come after those that are imported:"
                f" {listed(without, separator=', ')}. Nothing was written. Put numbers before their names (rollbacks"
                " and verify scripts likewise), as in 001_, and import again.",
            )


def read_folder_of_imports(sql_dir: str, layout: str, tool: str) -> Folder:
    """What a folder of SQL, which need not be there yet, has of a tool's migrations.

    Raises:
        Refused: it has another layout, or cannot be read.
    """
    root = Path(sql_dir).expanduser().absolute()
    try:
        return _read(root, layout, tool)
    except OSError as error:
        raise Refused(
            "sql_dir_unusable",
            f"{error.filename or root} cannot be read ({error.strerror}). Nothing was written.",
        ) from None


def _read(root: Path, layout: str, tool: str) -> Folder:
    present_layout = layout_of(root, layout, tolerant=True)
    if present_layout.name != "plain":
        raise Refused(
            "import_in_the_way",
            f"{root} is of sql_layout {present_layout.name}"
            f"{f' (by {present_layout.evidence})' if present_layout.evidence else ''}, and imported scripts are plain."
            " Nothing was written. Import into another sql_dir.",
        )
    if not (root / "migrations").exists():
        return Folder(root, NO_LIBRARY, {})
    library = read_sql_library(root, tolerant=True, layout=present_layout.name)
    entries = books_of(tool, library, tolerant=True)["entries"]
    by_version = {one.version: one for one in library.migrations}
    known = {_key(entry): by_version[version] for version, entry in entries.items()}
    return Folder(root, library, known, {_key(entry): _replaced(entry) for entry in entries.values()})


def _key(entry: Mapping[str, Any]) -> str:
    return f"{entry['app']}.{entry['name']}" if "app" in entry else str(entry["revision"])


def _replaced(entry: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(f"{app}.{name}" for app, name in entry.get("replaces", ()))


def _words(name: str) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")
    return re.sub(rf"\A(.{{{_LONGEST_NAME}}}).*", r"\1", words).rstrip("_") or "migration"


def apply_file(stem: str) -> str:
    """Path of a migration below sql_dir."""
    return f"migrations/{stem}.sql"


def rollback_file(stem: str) -> str:
    """Path of its rollback."""
    return f"rollback/{stem}_rollback.sql"


def write_new(root: Path, texts: Mapping[str, str]) -> None:
    """Write files that are not there yet, each whole or not at all.

    Args:
        root: the folder of SQL; made where only it is missing.
        texts: path below ``root`` -> text, in the order in which they are written.

    Raises:
        Refused: one is there with another text, or cannot be written; of the former nothing was written.
    """
    there = _in_the_way(root, texts)
    try:
        for name, text in texts.items():
            if name not in there:
                _write(root, root / name, text)
    except OSError as error:
        raise Refused(
            "sql_dir_unusable",
            f"{error.filename or root} cannot be written ({error.strerror}). What was imported before it stays; the"
            " same command imports the rest.",
        ) from None


def _in_the_way(root: Path, texts: Mapping[str, str]) -> Collection[str]:
    """Files that are there as they would be written: of an import that was killed."""
    there = [name for name in texts if os.path.lexists(root / name)]
    others = [name for name in there if _text(root / name) != texts[name]]
    if others:
        raise Refused(
            "import_in_the_way",
            f"{root} has files that the import would write, and does not overwrite: {listed(others, separator=', ')}."
            " Nothing was written. Move them away, and import again.",
        )
    return there


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _write(root: Path, path: Path, text: str) -> None:
    root.mkdir(exist_ok=True)
    path.parent.mkdir(exist_ok=True)
    # A name that begins with a dot is read by nobody.
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)  # of a process that was killed, or a link of somebody's
    with part.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
