# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""goose's layout: one file a migration, with the lines `-- +goose Up` and `-- +goose Down`.

StatementBegin and StatementEnd tell goose where a statement with semicolons in it ends; PostgreSQL's own parser needs
no such help, and to it they are comments.
"""

from __future__ import annotations

from pathlib import Path

from ..found import Contents
from ..source import SqlText
from .halves import Mark, read_halves
from .marks import GOOSE_MARK

__all__ = ["marks", "read"]


def read(root: Path, folder: str, tolerant: bool) -> Contents:
    """See read_halves, also for what is raised."""
    return read_halves(root, folder, tolerant, marks, ("-- +goose Up", "-- +goose Down"), "version")


def marks(source: SqlText) -> list[Mark]:
    """The marks of a text; `-- +goose NO TRANSACTION` is said once, for both halves.

    Raises:
        SqlScriptError: variables of the environment are to be put in, which would be others on another machine.
    """
    words = [(match.start(), match["word"].lower()) for match in GOOSE_MARK.finditer(source.text)]
    for offset, word in words:
        if word == "envsub on":
            raise source.error(
                "script_has_placeholders",
                offset,
                "goose would put variables of the environment in here, which the runbook does not; write what is meant",
            )
    transaction = "none" if any(word == "no transaction" for _offset, word in words) else None
    return [Mark(offset, word, transaction) for offset, word in words if word in ("up", "down")]
