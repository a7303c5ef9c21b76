# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""golang-migrate's layout, two files a migration: 000001_x.up.sql and 000001_x.down.sql. Rails' SQL files likewise."""

from __future__ import annotations

import re
from pathlib import Path

from ..folder import Script, names_in, read_script
from ..found import Contents, Found, Remark, with_one_file_each
from .beside import with_scripts_beside
from .marks import NUMBERED_NAME

__all__ = ["read", "read_rails"]


def read(root: Path, folder: str, tolerant: bool) -> Contents:
    """The migrations in ``folder`` of ``root``; other files are not read, and said so.

    Raises:
        SqlLibraryError: a folder or a file is unreadable, or files share a version.
        SqlScriptError: a script is not UTF-8 text, or its header states a wrong value.
    """
    warnings: list[Remark] = []
    ups: list[tuple[int, re.Match[str], Script]] = []
    downs: dict[int, Script] = {}
    for name in names_in(root, folder, required=True):
        match = NUMBERED_NAME.fullmatch(name)
        if match is None:
            warnings += _unread(folder, name)
            continue
        script = read_script(root, root / folder / name, tolerant=tolerant)
        if match["half"] == "up":
            ups.append((int(match["version"]), match, script))
        else:
            downs[int(match["version"])] = script
    known = {number for number, _match, _script in ups}
    warnings += [
        Remark(script.name, "belongs to no migration (no .up.sql has its number)", belongs=False)
        for number, script in downs.items()
        if number not in known
    ]
    found = [_found(folder, number, match, script, downs) for number, match, script in ups]
    return with_scripts_beside(root, with_one_file_each(found, tolerant), warnings, tolerant)


def _found(folder: str, number: int, match: re.Match[str], script: Script, downs: dict[int, Script]) -> Found:
    stem = f"{match['version']}_{match['words']}"
    return Found(
        version=match["version"],
        stem=stem,
        rank=(number,),
        description=re.sub(r"[_.-]+", " ", match["words"]).strip(),
        apply=script,
        rollback=downs.get(number),
        rollback_place=(Path(folder) / f"{stem}.down.sql").as_posix(),
    )


def _unread(folder: str, name: str) -> list[Remark]:
    if not name.endswith(".sql"):
        return []
    why = "is not read: files of this layout are called <number>_<name>.up.sql and .down.sql"
    return [Remark((Path(folder) / name).as_posix(), why, belongs=True)]


def read_rails(root: Path, folder: str, tolerant: bool) -> Contents:
    """The same beside migrations in Ruby, which are not read; one without SQL is said so.

    Raises:
        SqlLibraryError, SqlScriptError: see read.
    """
    contents = read(root, folder, tolerant)
    stems = {one.stem for one in contents.found}
    ruby = [Path(name).stem for name in names_in(root, folder) if name.endswith(".rb")]
    return Contents(
        contents.found,
        (
            *contents.warnings,
            *(
                Remark(
                    f"{(Path(folder) / stem).as_posix()}.rb",
                    f"is not read: it is Ruby; what it does goes into {stem}.up.sql and {stem}.down.sql beside it",
                    belongs=True,
                )
                for stem in ruby
                if stem not in stems
            ),
        ),
    )
