# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a migration did in production what it did on the copy: a function of both measurements.

The schema cannot tell: a trigger that acts by the name of the database, or a row that only production has, may
leave it as rehearsed and yet delete rows that no rehearsal has seen deleted.
"""

from __future__ import annotations

from ..shapes import Impact, Json
from .meter import HARMLESS_MODE, LOCK_MODES

__all__ = ["differs_from_rehearsal"]


def differs_from_rehearsal(on_the_copy: Impact, in_production: Impact, written: int | None) -> list[str]:
    """What a migration did on one side and not on the other.

    Production goes on writing after the backup, so that numbers of rows may well differ. That it deletes from a
    table in production, and on the copy deleted nothing from it, is not seen before all the same; nor that it empties
    one, or deletes more than were written since.

    Args:
        on_the_copy, in_production: results of ImpactMeter.
        written: how many rows were written since the backup: where there is none the numbers must be the same too.
            None where that is not known.

    Returns:
        list of str; empty when both are alike.
    """
    lines = []
    for table in sorted({*on_the_copy["rows"], *in_production["rows"]}):
        for kind in ("inserted", "updated", "deleted"):
            rehearsed, real = (
                side["rows"].get(table, {}).get(kind, 0) for side in (on_the_copy, in_production)
            )
            if rehearsed != real and (written == 0 or not rehearsed or not real):
                lines.append(f"{table}: {real} rows {kind} in production, {rehearsed} on the copy")
            elif kind == "deleted" and written is not None and real - rehearsed > written:
                lines.append(
                    f"{table}: {real} rows deleted in production, {rehearsed} on the copy, and {written} rows were"
                    " written since the backup"
                )
    for table in sorted({*in_production.get("emptied", ())} - {*on_the_copy.get("emptied", ())}):
        lines.append(f"{table}: emptied in production only")
    for table in sorted({*on_the_copy["rewritten"]} ^ {*in_production["rewritten"]}):
        where = "in production" if table in in_production["rewritten"] else "on the copy"
        lines.append(f"{table}: rewritten {where} only")
    # The strongest of each table: statements that commit one by one may have several.
    rehearsed = {lock["table"]: lock["mode"] for lock in sorted(on_the_copy["locks"], key=_rank_of)}
    for lock in in_production["locks"]:
        if lock.get("sampled"):
            continue  # a short one is seen by chance
        known = rehearsed.get(lock["table"])
        if _rank_of(lock) > max(_rank(known), _rank(HARMLESS_MODE)):
            lines.append(
                f"{lock['table']}: {lock['mode']} in production, {known or 'no lock'} on the copy"
                f" (line {lock['line']})"
            )
    return lines


def _rank_of(lock: Json) -> int:
    return _rank(lock["mode"])


def _rank(mode: str | None) -> int:
    return LOCK_MODES.index(mode) if mode else -1
