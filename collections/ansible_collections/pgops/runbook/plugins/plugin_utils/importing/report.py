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


def import_report(found: Imported, version_table: Any, wrote: bool) -> list[str]:
    """One line for what was imported, one for each file that wants a person, and what to do next.

    Args:
        version_table: the variable, as somebody set it.
        wrote: whether files were written, or only would be.
    """
    return [
        _first(found, wrote),
        *cut([f"  {_as_listed(new)}" for new in found.new], SHOWN),
        *_to_write(found),
        *_one_by_one(found),
        *_others(found),
        *_next(found, version_table),
    ]


def outputs_of(found: Imported) -> dict[str, Any]:
    """The same for programs."""
    return {
        "imported": [
            {
                "key": new.one.key,
                "files": list(new.files()),
                "unfinished": [what for half in new.files().values() for what in half.unfinished],
            }
            for new in found.new
        ],
        "there": found.there,
        "edited": list(found.edited),
        "unfinished": found.unfinished,
        "gone": list(found.gone),
    }


def _first(found: Imported, wrote: bool) -> str:
    verb = "imported" if wrote else "to import; nothing is written with --check"
    whole = sum(new.apply is not None for new in found.new)
    what = [_counted(whole, "migration")] if whole else []
    what += [_counted(len(found.new) - whole, "rollback")] if len(found.new) > whole else []
    if not what:
        return (
            f"{found.root} has all migrations that {found.title} lists ({found.there}); nothing was written"
        )
    there = f"; {_counted(found.there, 'migration')} there before" if found.there else ""
    return f"{found.title}, into {found.root}: {' and '.join(what)} {verb}{there}"


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _as_listed(new: New) -> str:
    return f"{new.stem}: {new.one.key}{'' if new.apply else ' (its rollback, which was gone)'}"


def _to_write(found: Imported) -> Iterator[str]:
    """Deploys of these files are refused until somebody has written them."""
    lines = [
        f"  {name}: {'; '.join(half.unfinished)}"
        for new in found.new
        for name, half in new.files().items()
        if half.unfinished
    ]
    lines += [f"  {name}: {what}" for name, what in found.unfinished.items()]
    if lines:
        yield "To be written by a person; until then a deploy of them is refused:"
        yield from cut(lines, SHOWN)


def _one_by_one(found: Imported) -> Iterator[str]:
    stems = [new.stem for new in found.new if any(half.one_by_one for half in new.files().values())]
    if stems:
        yield f"Not in one transaction (-- Transaction: none): {listed(stems, separator=', ')}"


def _others(found: Imported) -> Iterator[str]:
    if found.edited:
        yield f"Edited since they were imported, and left as they are: {listed(found.edited, separator=', ')}"
    if found.gone:
        yield (
            f"No longer among the migrations that {found.title} lists, and left as they are:"
            f" {listed(found.gone, separator=', ')}"
        )


def _next(found: Imported, version_table: Any) -> Iterator[str]:
    books = next((half.books for new in found.new for half in new.files().values() if half.books), "")
    settings = {"tool": version_table} if isinstance(version_table, str) else dict(version_table or {})
    usual = books.rpartition(".")[2] in ("", "alembic_version") and "." not in books
    wanted = found.tool if usual else f"{{tool: {found.tool}, table: {books}}}"
    if settings.get("tool") != found.tool or (not usual and settings.get("table") != books):
        yield f"So that {found.title} knows what is applied, set in the inventory: version_table: {wanted}"
