# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The runbook's own layout: migrations/012_x.sql with rollback/012_x_rollback.sql, one script a file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..folder import Script, read_folder, unusable
from ..found import Contents, Found, Remark, number_of, rank_of_name
from ..source import SqlText
from .beside import with_scripts_beside
from .marks import layout_of_name, layout_of_text

__all__ = ["read", "versions_of"]


def read(root: Path, folder: str, tolerant: bool) -> Contents:
    """The migrations of ``root``.

    Raises:
        SqlLibraryError: migrations/ is missing or unreadable, or a file's name is unusable.
        SqlScriptError: a file is not UTF-8 text, its header states a wrong value, or it is one of another layout.
    """
    folder = "migrations"
    applies = {
        stem: _not_foreign(script, tolerant)
        for stem, script in read_folder(root, folder, required=True, tolerant=tolerant).items()
    }
    warnings: list[Remark] = []
    rollbacks = {
        stem: _not_foreign(script, tolerant)
        for stem, script in _rollbacks(
            read_folder(root, "rollback", tolerant=tolerant), applies, warnings
        ).items()
    }
    versions = versions_of(applies)
    migrations = [
        Found(
            version=versions[stem],
            stem=stem,
            rank=rank_of_name(stem),
            description=re.sub(r"[_.-]+", " ", re.sub(r"^\d+(?=[_.-])", "", stem)).strip(),
            apply=script,
            rollback=rollbacks.get(stem),
            rollback_place=f"rollback/{stem}_rollback.sql",
        )
        for stem, script in applies.items()
    ]
    return with_scripts_beside(root, migrations, warnings, tolerant)


def versions_of(stems: Iterable[str]) -> dict[str, str]:
    """Stem -> version: the digits as written; the whole stem without number, or where a number is shared."""
    stems = list(stems)
    shared = [number_of(stem) for stem in stems]
    versions = {}
    for stem, number in zip(stems, shared, strict=True):
        unique = number is not None and shared.count(number) == 1
        versions[stem] = re.match(r"\d+", stem)[0] if unique else stem  # type: ignore[index]  # unique: it has a number
    return versions


def _not_foreign(script: Script, tolerant: bool) -> Script:
    """A file with both halves in it, run as one script, would apply the migration and roll it back at once.

    Raises:
        SqlScriptError: it is of another layout.
    """
    name = Path(script.path).name
    # V1__x.sql may be somebody's own way to number; U1__x.sql and x.down.sql undo, and are no migrations.
    by_name = layout_of_name(name) if not name.startswith("V") else None
    layout = layout_of_text(script.text) or by_name
    if script.problem or layout is None:
        return script
    what = f"this is a file of sql_layout {layout}, and the layout here is plain, in which it would run as one script"
    return unusable(script, SqlText(script.text, script.path).error("layout_foreign", 0, what), tolerant)


def _rollbacks(
    scripts: Mapping[str, Script], applies: Mapping[str, Script], warnings: list[Remark]
) -> dict[str, Script]:
    """Stem of the migration -> its rollback; notes the files that belong to none."""
    rollbacks = {}
    for name, script in scripts.items():
        stem = name.removesuffix("_rollback")
        if name.endswith("_rollback") and stem in applies:
            rollbacks[stem] = script
        else:
            hint = f"rollback/{name}_rollback.sql" if name in applies else f"migrations/{stem}.sql"
            known = "its name should be" if name in applies else "there is no"
            what = f"belongs to no migration ({known} {hint})"
            warnings.append(Remark(script.name, what, belongs=False))
    return rollbacks
