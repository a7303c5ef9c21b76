# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Flyway's layout: V1_2__x.sql, its undo U1_2__x.sql, and R__x.sql, which is run again whenever it changes.

Flyway looks into all folders below a location, so that files of one version may stand in different ones.

A repeatable migration has no version to be recorded under and no way back, so that it is not deployed: it is named, and
stays Flyway's.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from ..folder import Script, names_in, read_script, unusable
from ..found import Contents, Found, Remark, with_one_file_each
from ..source import SqlText
from .beside import with_scripts_beside
from .marks import FLYWAY_NAME

__all__ = ["names_below", "rank_of_version", "read"]

_NOT_READ = {
    "R": "it is repeatable, and what it replaces could not be put back; write a V and a U file for what changes, or"
    " leave it to Flyway",
    "B": "it is a baseline, which stands for all before it; the database that has it knows it as applied",
}


def rank_of_version(version: str) -> tuple[int, ...]:
    """Sort key of a version as Flyway compares them: part by part as numbers; 1 and 1.0 are the same."""
    parts = [int(part) for part in re.split(r"[._]", version)]
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


# What stands beside the migrations where these are in the folder of SQL itself.
_OTHERS = ("precheck", "sample", "smoke", "verify")


def names_below(root: Path, folder: str) -> list[str]:
    """Files in ``folder`` of ``root`` and in the folders in it, relative to ``folder``; no link is followed.

    Raises:
        SqlLibraryError: a folder cannot be read.
    """
    names = names_in(root, folder, required=True)
    for path in sorted((root / folder).iterdir()):
        is_other = path.name.startswith(".") or (not folder and path.name in _OTHERS)
        if path.is_dir() and not path.is_symlink() and not is_other:
            inner = names_below(root, (Path(folder) / path.name).as_posix())
            names += [f"{path.name}/{name}" for name in inner]
    return names


def read(root: Path, folder: str, tolerant: bool) -> Contents:
    """The migrations in ``folder`` of ``root`` and below it; other files are not read, and said so.

    Raises:
        SqlLibraryError: a folder or a file is unreadable, or files share a version.
        SqlScriptError: a script is not UTF-8 text, has placeholders, or its header states a wrong value.
    """
    warnings: list[Remark] = []
    forward: list[tuple[re.Match[str], Script]] = []
    undo: dict[tuple[int, ...], Script] = {}
    for name in names_below(root, folder):
        match = FLYWAY_NAME.fullmatch(Path(name).name)
        kind = (match["kind"] or "R") if match else ""
        if match is None or kind in _NOT_READ:
            warnings += _unread(folder, name, kind)
        elif kind == "V":
            forward.append((match, _script(root, folder, name, tolerant)))
        else:
            undo[rank_of_version(match["version"])] = _script(root, folder, name, tolerant)
    known = {rank_of_version(match["version"]) for match, _script in forward}
    warnings += [
        Remark(script.name, "belongs to no migration (there is no V file of its version)", belongs=False)
        for rank, script in undo.items()
        if rank not in known
    ]
    found = [_found(match, script, undo) for match, script in forward]
    return with_scripts_beside(root, with_one_file_each(found, tolerant), warnings, tolerant)


def _found(match: re.Match[str], script: Script, undo: dict[tuple[int, ...], Script]) -> Found:
    stem = Path(script.path).stem
    rank = rank_of_version(match["version"])
    return Found(
        version=match["version"].replace("_", "."),
        stem=stem,
        rank=rank,
        description=(match["words"] or "").replace("_", " "),
        apply=script,
        rollback=undo.get(rank),
        rollback_place=Path(script.name).with_name(f"U{stem[1:]}.sql").as_posix(),
    )


def _unread(folder: str, name: str, kind: str) -> list[Remark]:
    if not name.endswith(".sql"):
        return []
    why = _NOT_READ.get(
        kind, "files of this layout are called V<version>__<name>.sql and U<version>__<name>.sql"
    )
    return [Remark((Path(folder) / name).as_posix(), f"is not deployed: {why}", belongs=True)]


def _script(root: Path, folder: str, name: str, tolerant: bool) -> Script:
    script = read_script(root, root / folder / name, tolerant=tolerant)
    settings = _settings(root / folder / f"{name}.conf")
    if settings.get("executeintransaction") == "false":
        script = replace(script, header=replace(script.header, transaction="none"))
    placeholder = re.search(r"\$\{[^}\n]*\}", script.text)
    if script.problem or placeholder is None or settings.get("placeholderreplacement") == "false":
        return script
    error = SqlText(script.text, script.path).error(
        "script_has_placeholders",
        placeholder.start(),
        f"Flyway would put in a value for {placeholder[0]}, which the runbook does not know; write what is meant, or"
        f" say placeholderReplacement=false in {name}.conf",
    )
    return unusable(script, error, tolerant)


def _settings(path: Path) -> dict[str, str]:
    """Settings that Flyway takes for one script from a file beside it; keys and values in small letters."""
    if not path.exists():
        return {}
    pairs = (line.partition("=") for line in path.read_text(encoding="utf-8").lower().splitlines())
    return {key.strip(): value.strip() for key, _sign, value in pairs}
