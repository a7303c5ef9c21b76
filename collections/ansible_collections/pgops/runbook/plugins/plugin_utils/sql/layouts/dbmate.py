# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""dbmate's layout: one file a migration, with the lines `-- migrate:up` and `-- migrate:down`."""

from __future__ import annotations

from pathlib import Path

from ..found import Contents
from ..source import SqlText
from .halves import Mark, read_halves
from .marks import DBMATE_MARK

__all__ = ["marks", "read"]


def read(root: Path, folder: str, tolerant: bool) -> Contents:
    """See read_halves, also for what is raised."""
    return read_halves(root, folder, tolerant, marks, ("-- migrate:up", "-- migrate:down"), "version")


def marks(source: SqlText) -> list[Mark]:
    """The marks of a text; of their options `transaction:false` is known, as to dbmate.

    Raises:
        SqlScriptError: another option.
    """
    marks_of_text = []
    for match in DBMATE_MARK.finditer(source.text):
        options = match["options"].split()
        for option in options:
            if option not in ("transaction:false", "transaction:true"):
                raise source.error(
                    "layout_mark_wrong", match.start(), f"{option!r} is no option of migrate:{match['half']}"
                )
        marks_of_text.append(
            Mark(match.start(), match["half"], "none" if "transaction:false" in options else None)
        )
    return marks_of_text
