# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What became of users' rows in a drill: functions of what was seen before the rollback and after all of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from ..content.difference import difference
from ..errors import Refused
from ..sentences import listed
from ..shapes import Content, Json

__all__ = ["Rows", "count_rows", "refuse_lost_rows", "rows_of"]


class Rows(NamedTuple):
    """What a rollback kept, and what became of it when the migrations were deployed again.

    Attributes:
        kept: rows in the salvage of the rollback.
        put_back: how many of them went back.
        held_back: how many wait, each with its reason.
        reasons: the reasons, with the number of rows of each.
    """

    kept: int
    put_back: int
    held_back: int
    reasons: dict[str, int]


def count_rows(kept: Iterable[Json], returned: Iterable[Json]) -> Rows:
    """
    Args:
        kept: items of the salvage, as a rollback's receipt has them.
        returned: what became of them (see salvage.returning.returner), and of what production's rollbacks had kept
            before, which the copy has, too.
    """
    kept = list(kept)
    numbers = {one["item"] for one in kept}
    items = [one for one in returned if one["item"] in numbers]
    reasons: dict[str, int] = {}
    for one in items:
        for reason, rows in (one.get("reasons") or {}).items():
            reasons[reason] = reasons.get(reason, 0) + rows
    return Rows(
        sum(one["rows"] for one in kept),
        sum(one["returned"] for one in items),
        sum(one["held_back"] for one in items),
        reasons,
    )


def rows_of(before: Content, after: Content, books: Collection[str] = ()) -> list[dict[str, Any]]:
    """Tables that are not as users left them, each with what differs (see content.difference).

    Args:
        books: quoted names of the record of versions, which is not users'.
    """
    return [one for one in difference(before, after) if one["table"] not in books]


def refuse_lost_rows(differing: Sequence[dict[str, Any]], held_back: int) -> None:
    """Rows that wait in the salvage are not lost; those that are nowhere are.

    Args:
        differing: see rows_of().

    Raises:
        Refused: tables have fewer rows than users left in them, and more than those that wait.
    """
    fewer = {
        one["table"]: (one["rows_before"] or 0) - (one["rows_after"] or 0)
        for one in differing
        if (one["rows_before"] or 0) > (one["rows_after"] or 0)
    }
    if sum(fewer.values()) <= held_back:
        return
    words = listed([f"{table} ({count} fewer)" for table, count in fewer.items()])
    raise Refused(
        "drill_lost_rows",
        f"In the drill users' rows were lost between the emergency rollback and the next deploy: {words}. Production"
        " was not touched. Look at what the rollback script does with these tables, and do not deploy this migration"
        " until a drill goes well.",
        tables=list(differing),
    )
