# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rows that a rollback does not give back on the copy: refused, or let pass where they are declared and accepted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..content.differing_rows import differing_rows, in_words
from ..errors import Refused
from ..sentences import listed
from ..shapes import Connection, Content, Json, Migration

__all__ = ["accepted_loss"]

COUNTS = ("changed", "gone", "new", "columns", "as_expected", "not_compared")


def accepted_loss(
    migration: Migration,
    problems: Sequence[Mapping[str, Any]],
    expected: Content,
    connections: tuple[Connection | None, Connection],
    accepts: bool,
) -> list[Json]:
    """The loss, for the evidence, of a migration that may have it.

    A declaration alone does not do: headers declare what a rollback drops of what users wrote, which the salvage
    keeps, and a rollback that is wrong beside that must not pass for it. Consent alone does not either: it is of one
    night, and the header is read by all who have to do with the migration.

    Args:
        problems: what content.difference.difference() found.
        expected: the content that the rollback should have given back.
        connections: to production, if there is one, and to the copy.
        accepts: whether accept_data_loss was given for it.

    Returns:
        for each table {"table", "problem", "rows_before", "rows_after", "words"}, with the counts of
        differing_rows() where it could look.

    Raises:
        Refused: it may not.
    """
    rows = differing_rows(*connections, expected, problems)
    words = {
        found["table"]: f"{found['table']}: {found['problem']} ({found['rows_before']} rows before,"
        f" {found['rows_after']} after){in_words(rows, found['table'])}"
        for found in problems
    }
    declared = migration.get("data_loss") in ("PARTIAL", "COMPLETE")
    if not (declared and accepts):
        raise Refused(
            "rehearsal_rollback_data_differs",
            f"Checklist item 'rollback tested on a copy': the rollback of {migration['version']} does not give back"
            f" the data: {listed(list(words.values()))}. Correct the rollback script. {_advice(migration, accepts)}",
            tables=problems,
            rows=rows,
        )
    looked = {entry["table"]: entry for entry in rows}
    return [
        {
            **found,
            **{name: value for name, value in looked.get(found["table"], {}).items() if name in COUNTS},
            "words": words[found["table"]],
        }
        for found in problems
    ]


def _advice(migration: Migration, accepts: bool) -> str:
    declared = migration.get("data_loss")
    if declared in ("PARTIAL", "COMPLETE"):
        return (
            f"If that is the loss that the header declares (Data Loss: {declared}), give"
            f" -e accept_data_loss={migration['version']}."
        )
    if accepts:
        return (
            "accept_data_loss lets only a loss pass that is declared: if these rows need not come back, write"
            " -- Data Loss: PARTIAL in the migration's header."
        )
    return (
        "If these rows need not come back, declare it in the migration's header (-- Data Loss: PARTIAL) and give"
        f" -e accept_data_loss={migration['version']}."
    )
