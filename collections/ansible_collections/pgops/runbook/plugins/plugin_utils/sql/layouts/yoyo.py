# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""yoyo-migrations' layout, two files a migration: 0001.x.sql and 0001.x.rollback.sql; others are in Python.

Lines before the first statement say what a migration needs (`-- depends: 0001.x`), and whether it runs in a transaction
(`-- transactional: false`); yoyo's documentation, "Migrations as SQL scripts".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..folder import Script, names_in, read_script
from ..found import Contents, Found, Remark, rank_of_name
from .beside import with_scripts_beside
from .marks import YOYO_ROLLBACK
from .plain import versions_of

__all__ = ["read"]

# Run after the others, each time.
POST_APPLY = "post-apply"

_HEAD = re.compile(r"(?:[ \t]*(?:--[^\r\n]*)?(?:\r\n|\r|\n))*")
_DIRECTIVE = re.compile(
    r"^[ \t]*--[ \t]*(?P<name>depends|transactional)[ \t]*:[ \t]*(?P<value>[^\r\n]*)", re.M
)


def read(root: Path, folder: str, tolerant: bool) -> Contents:
    """The migrations in ``folder`` of ``root``; other files are not read, and said so.

    Raises:
        SqlLibraryError: a folder or a file is unreadable.
        SqlScriptError: a script is not UTF-8 text, or its header states a wrong value.
    """
    warnings: list[Remark] = []
    applies: dict[str, Script] = {}
    rollbacks: dict[str, Script] = {}
    for name in names_in(root, folder, required=True):
        remark = _unread(folder, name)
        if remark is not None:
            warnings.append(remark)
        elif name.endswith(".sql"):
            script = read_script(root, root / folder / name, tolerant=tolerant)
            into = rollbacks if name.endswith(YOYO_ROLLBACK) else applies
            into[name.removesuffix(".sql").removesuffix(".rollback")] = script
    warnings += [
        Remark(script.name, f"belongs to no migration (there is no {stem}.sql)", belongs=False)
        for stem, script in rollbacks.items()
        if stem not in applies
    ]
    versions = versions_of(applies)
    found = [_found(folder, stem, versions, script, rollbacks.get(stem)) for stem, script in applies.items()]
    return with_scripts_beside(root, found, warnings, tolerant)


def _found(
    folder: str, stem: str, versions: Mapping[str, str], script: Script, rollback: Script | None
) -> Found:
    stated = _directives(script.text)
    if stated.get("transactional", "").lower() == "false":
        script = replace(script, header=replace(script.header, transaction="none"))
    needs = stated.get("depends")
    return Found(
        version=versions[stem],
        stem=stem,
        rank=rank_of_name(stem),
        description=re.sub(r"[_.-]+", " ", re.sub(r"^\d+(?=[_.-])", "", stem)).strip(),
        apply=script,
        rollback=rollback,
        rollback_place=(Path(folder) / f"{stem}{YOYO_ROLLBACK}").as_posix(),
        requires=None if needs is None else tuple(versions.get(need, need) for need in needs.split()),
    )


def _directives(text: str) -> dict[str, str]:
    """Name -> value of those before the first statement; one that is there twice has both values."""
    head = _HEAD.match(text)
    found: dict[str, str] = {}
    for match in _DIRECTIVE.finditer(head[0] if head else ""):
        found[match["name"]] = f"{found.get(match['name'], '')} {match['value']}".strip()
    return found


def _unread(folder: str, name: str) -> Remark | None:
    place = (Path(folder) / name).as_posix()
    if name.endswith(".py"):
        stem = name.removesuffix(".py")
        what = f"is not read: it is Python; what it does goes into {stem}.sql and {stem}{YOYO_ROLLBACK} in its place"
        return Remark(place, what, belongs=True)
    if name.startswith(POST_APPLY):
        return Remark(
            place, "is not read: what yoyo runs after each of its own applies is no migration", belongs=True
        )
    return None
