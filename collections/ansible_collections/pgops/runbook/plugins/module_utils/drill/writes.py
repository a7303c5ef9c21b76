# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What users write between a deploy and its rollback, in their place: rows changed, and rows made up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Union

from ..errors import Refused
from ..generation.changing import Changed
from ..generation.filling import Filled
from ..generation.generator import Generator
from ..ledger.versions import VersionTable
from ..shapes import Connection, Json

__all__ = ["ROWS_SPEC", "refuse_number_of_rows", "write_as_users"]

ROWS_SPEC: Json = {"rows": {"type": "int", "default": 20}, "seed": {"type": "int", "default": 1}}

MOST_ROWS = 10_000


def refuse_number_of_rows(rows: int) -> None:
    """
    Raises:
        Refused: it is no number of rows that can be written.
    """
    if not 0 <= rows <= MOST_ROWS:
        raise Refused(
            "generated_rows_out_of_range",
            f"{rows} is no number of rows for users to write: drill_rows goes from 0, which is none, to {MOST_ROWS}."
            " Production was not touched.",
        )


def write_as_users(connection: Connection, copy: str, rows: int, seed: int) -> Json:
    """Change rows, then add new ones, in each of the application's tables.

    Args:
        connection: to the copy.
        copy: its name.
        rows: how many a table, of each kind at most.
        seed: with the same number and the same schema the rows are the same.

    Returns:
        dict: new and changed (rows), tables (how many were written to), not_written (why, by table).
    """
    if not rows:
        return {"new": 0, "changed": 0, "tables": 0, "not_written": {}}
    generator = Generator(
        copy, rows, seed, lambda cursor: VersionTable(cursor).quoted_names(), in_addition=True
    )
    changed = generator.change(connection)
    filled = generator.fill(connection)
    both: list[Union[Filled, Changed]] = [*filled, *changed]
    return {
        "new": sum(one.rows for one in filled),
        "changed": sum(one.rows for one in changed),
        "tables": len({one.table for one in both if one.rows}),
        "not_written": _not_written(both),
    }


def _not_written(found: Sequence[Union[Filled, Changed]]) -> dict[str, str]:
    """Of tables to which nothing was written."""
    written = {one.table for one in found if one.rows}
    reasons = {one.table: one.reason for one in found if one.table not in written and one.reason}
    return {table: str(reasons[table]) for table in sorted(reasons)}
