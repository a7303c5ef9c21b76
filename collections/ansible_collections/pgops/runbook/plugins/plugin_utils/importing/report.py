# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a person reads of an import."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...module_utils.sentences import cut, listed
from .work import Imported, New

__all__ = ["import_report", "outputs_of"]

# Of each kind of line; a project may have hundreds of migrations.
SHOWN = 50


def import_report(imported: Imported, version_table: Any, wrote: bool) -> list[str]:
    """One line for what was imported, one for each file that wants a person, and what to do next.

    Args:
        version_table: the variable, as somebody set it.
        wrote: whether files were written, or only would be.
    """
    return [
        _first(imported, wrote),
        *cut([f"  {_as_listed(new)}" for new in imported.new], SHOWN),
        *_to_write(imported),
        *_one_by_one(imported),
        *_others(imported),
        *_next(imported, version_table),
    ]


def outputs_of(imported: Imported) -> dict[str, Any]:
    """The same for programs."""
    return {
        "imported": [
            {
                "key": new.one.key,
                "files": list(new.files()),
                "unfinished": [what for half in new.files().values() for what in half.unfinished],
            }
            for new in imported.new
        ],
        "there": imported.there,
        "edited": list(imported.edited),
        "unfinished": imported.unfinished,
        "gone": list(imported.gone),
    }


def _first(imported: Imported, wrote: bool) -> str:
    verb = "imported" if wrote else "to import; nothing is written with --check"
    whole = sum(new.apply is not None for new in imported.new)
    what = [_counted(whole, "migration")] if whole else []
    what += [_counted(len(imported.new) - whole, "rollback")] if len(imported.new) > whole else []
    if not what:
        return f"{imported.root} has all migrations that {imported.title} lists ({imported.there}); nothing was written"
    there = f"; {_counted(imported.there, 'migration')} there before" if imported.there else ""
    return f"{imported.title}, into {imported.root}: {' and '.join(what)} {verb}{there}"


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _as_listed(new: New) -> str:
    return f"{new.stem}: {new.one.key}{'' if new.apply else ' (its rollback, which was gone)'}"


def _to_write(imported: Imported) -> Iterator[str]:
    """Deploys of these files are refused until somebody has written them."""
    lines = [
        f"  {name}: {'; '.join(half.unfinished)}"
        for new in imported.new
        for name, half in new.files().items()
        if half.unfinished
    ]
    lines += [f"  {name}: {what}" for name, what in imported.unfinished.items()]
    if lines:
        yield "To be written by a person; until then a deploy of them is refused:"
        yield from cut(lines, SHOWN)


def _one_by_one(imported: Imported) -> Iterator[str]:
    stems = [new.stem for new in imported.new if any(half.one_by_one for half in new.files().values())]
    if stems:
        yield f"Not in one transaction (-- Transaction: none): {listed(stems, separator=', ')}"


def _others(imported: Imported) -> Iterator[str]:
    if imported.edited:
        yield f"Edited since they were imported, and left as they are: {listed(imported.edited, separator=', ')}"
    if imported.gone:
        yield (
            f"No longer among the migrations that {imported.title} lists, and left as they are:"
            f" {listed(imported.gone, separator=', ')}"
        )


def _next(imported: Imported, version_table: Any) -> Iterator[str]:
    books = next((half.books for new in imported.new for half in new.files().values() if half.books), "")
    settings = {"tool": version_table} if isinstance(version_table, str) else dict(version_table or {})
    usual = books.rpartition(".")[2] in ("", "alembic_version") and "." not in books
    wanted = imported.tool if usual else f"{{tool: {imported.tool}, table: {books}}}"
    if settings.get("tool") != imported.tool or (not usual and settings.get("table") != books):
        yield f"So that {imported.title} knows what is applied, set in the inventory: version_table: {wanted}"
