# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Importing: everything is asked first, and then written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from ...module_utils.errors import Refused
from ..sql.folder import Script
from ..sql.migration import Migration
from .alembic import Alembic
from .django import Django
from .folder import Folder, apply_file, read_folder_of_imports, rollback_file, write_new
from .program import ToolFailed
from .script_files import is_edited, is_imported, script_text
from .squashed import standing_for, stems_of_replaced, to_import, without_replaced
from .told import Half, Listed, Squashed, Tool

__all__ = ["OPTIONS", "TOOLS", "Imported", "New", "import_migrations", "tool_for"]

T = TypeVar("T")

#: Those of the module import_scripts.
OPTIONS: dict[str, dict[str, Any]] = {
    "source": {"type": "str", "required": True},
    "project": {"type": "str", "required": True},
    "python": {"type": "str", "default": "python3"},
    "sql_dir": {"type": "str", "required": True},
    "sql_layout": {"type": "str", "default": "auto"},
    "version_table": {"type": "raw", "default": ""},
}

TOOLS: dict[str, Callable[[Path, str], Tool]] = {"alembic": Alembic, "django": Django}


@dataclass(frozen=True)
class New:
    """A migration that was imported, or would be.

    Attributes:
        stem: what its files are called.
        apply: None where only its rollback was missing.
    """

    one: Listed
    stem: str
    apply: Half | None
    rollback: Half

    def files(self) -> dict[str, Half]:
        """Path below sql_dir -> what is written there; a rollback before the migration by which it is known."""
        files = {rollback_file(self.stem): self.rollback}
        return {**files, apply_file(self.stem): self.apply} if self.apply else files


@dataclass(frozen=True)
class Imported:
    """What an import found and did.

    Attributes:
        there: how many of the tool's migrations were in sql_dir before.
        edited: files of these that are not as they were imported.
        unfinished: file of these -> what a person still has to write.
        gone: files whose migration the tool no longer lists.
    """

    title: str
    tool: str
    root: Path
    new: tuple[New, ...]
    there: int
    edited: tuple[str, ...]
    unfinished: dict[str, str]
    gone: tuple[str, ...]


def tool_for(name: Any, project: Any, python: Any) -> Tool:
    """The tool that is asked.

    Raises:
        Refused: it is not named, or its project is not there.
    """
    if name not in TOOLS:
        what = f"from={name!r} names no tool" if name else "The command names no tool"
        raise Refused("setting_invalid", f"{what}: -e from=django or -e from=alembic. Nothing was written.")
    if not project:
        raise Refused(
            "setting_invalid",
            "The command names no project: -e import_project=/path/to/the/folder. Nothing was written.",
        )
    folder = Path(str(project)).expanduser().absolute()
    needed = folder / "manage.py" if name == "django" else folder
    if not _is_there(needed):
        raise Refused("setting_invalid", f"import_project: there is no {needed}. Nothing was written.")
    return TOOLS[name](folder, str(python or "python3"))


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def import_migrations(tool: Tool, sql_dir: str, layout: str, writes: bool) -> Imported:
    """Write the scripts of all migrations that sql_dir does not have.

    Args:
        writes: whether files are written, or only what they would be is found out.

    Raises:
        Refused: the tool cannot be asked, prints no SQL of PostgreSQL's, or something is in the way.
    """
    folder = read_folder_of_imports(sql_dir, layout, tool.name)
    listing = _asked(tool, tool.listing)
    squashed = _squashed(tool, listing, folder)
    new = _ask(tool, listing, folder, squashed)
    if writes:
        write_new(folder.root, _texts(tool.title, new, _stems(new, folder)))
    return _found(tool, folder, new, {one.key for one in listing}, squashed)


def _asked(tool: Tool, question: Callable[[], T]) -> T:
    try:
        return question()
    except ToolFailed as error:
        raise Refused(
            "import_tool_failed",
            f"{tool.title} could not say what there is: {str(error).rstrip('.')}. Nothing was written. It is run as"
            " the project's own commands are, by import_python in import_project.",
        ) from None


def _squashed(tool: Tool, listing: Sequence[Listed], folder: Folder) -> Mapping[str, Squashed]:
    """Those of the project; nobody is asked where sql_dir has just what the tool lists."""
    return {} if {one.key for one in listing} == set(folder.known) else _asked(tool, tool.squashed)


def _ask(
    tool: Tool, listing: Sequence[Listed], folder: Folder, squashed: Mapping[str, Squashed]
) -> list[New]:
    missing = to_import(listing, folder.known, folder.replaced(), squashed)
    if missing and (other := _asked(tool, tool.other_database)):
        raise Refused(
            "import_not_postgresql",
            f"The database of {tool.title} is one of {other}, and not of PostgreSQL. Nothing was written. Run it with"
            " the settings that lead to PostgreSQL.",
        )
    stems = folder.stems_for([one.name for one in missing]) if missing else []
    named = {key: one.stem for key, one in folder.known.items()}
    named |= {one.key: stem for one, stem in zip(missing, stems, strict=True)}
    new = [New(one, named[one.key], *_halves(tool, one, named)) for one in missing]
    _check_postgresql(tool, new)
    for one in listing:
        known = folder.known.get(one.key)
        if known and known.rollback is None and is_imported(known.apply.text):
            new.append(New(one, known.stem, None, tool.half(one, back=True)))
    return new


def _halves(tool: Tool, migration: Listed, stems: Mapping[str, str]) -> tuple[Half, Half]:
    """The migration and its way back."""
    if migration.stands_for:
        return standing_for(migration, stems), standing_for(migration, stems)
    return _without_way_back(tool, tool.half(migration, back=False), tool.half(migration, back=True))


def _without_way_back(tool: Tool, apply: Half, rollback: Half) -> tuple[Half, Half]:
    """A way back that does nothing, of a migration that does something, is not finished."""
    does_something = apply.statements or apply.unfinished
    if does_something and not rollback.statements and not rollback.unfinished:
        what = f"write the way back, for which {tool.title} prints nothing"
        rollback = replace(rollback, unfinished=(what,))
    return apply, rollback


def _check_postgresql(tool: Tool, new: Sequence[New]) -> None:
    halves = [half for one in new for half in (one.apply, one.rollback) if half and half.text]
    if halves and not any(half.is_sql for half in halves):
        raise Refused(
            "import_not_postgresql",
            f"What {tool.title} prints is not the SQL of PostgreSQL; of {new[0].one.key}: {halves[0].unfinished[0]}."
            " Nothing was written. Run it with the settings that lead to PostgreSQL.",
        )


def _stems(new: Sequence[New], folder: Folder) -> dict[str, str]:
    """Key -> what its files are called, of those that are there and of the new ones."""
    stems = {key: one.stem for key, one in folder.known.items()} | {one.one.key: one.stem for one in new}
    return stems_of_replaced(folder.replaces, stems) | stems


def _texts(title: str, new: Sequence[New], stems: Mapping[str, str]) -> dict[str, str]:
    """Path -> text, in the order in which they are written."""
    texts = {}
    for found in new:
        requires = [stems[key] for key in found.one.requires if key in stems]
        for path, half in found.files().items():
            texts[path] = script_text(title, found.one, half, found.stem, requires, half is found.rollback)
    return texts


def _found(
    tool: Tool,
    folder: Folder,
    new: Sequence[New],
    listed: Collection[str],
    squashed: Mapping[str, Squashed],
) -> Imported:
    gone = without_replaced((key for key in folder.known if key not in listed), folder.replaced(), squashed)
    there = [one for key, one in folder.known.items() if key in listed]
    scripts = [script for one in there for script in _scripts(one)]
    return Imported(
        title=tool.title,
        tool=tool.name,
        root=folder.root,
        new=tuple(new),
        there=len(there),
        edited=tuple(script.name for script in scripts if is_edited(script.text)),
        unfinished={script.name: script.header.unfinished for script in scripts if script.header.unfinished},
        gone=tuple(folder.known[key].apply.name for key in gone),
    )


def _scripts(one: Migration) -> list[Script]:
    return [script for script in (one.apply, one.rollback) if script is not None]
