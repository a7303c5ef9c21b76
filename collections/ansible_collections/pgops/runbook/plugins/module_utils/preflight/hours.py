# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a maintenance window is open by the clock of the server, and what is left of it is long enough.

When windows open and close was worked out on the controller (plugin_utils/run/windows.py).
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

from ..errors import Refused
from ..postgres.answers import one_row
from ..shapes import Cursor, Json, Receipt

__all__ = ["in_words", "needed_seconds", "open_now", "refuse_too_little_time", "server_now"]

ITEM = "Checklist item 'maintenance window'"


def server_now(cursor: Cursor) -> datetime.datetime:
    """The server's clock, not the time at which the transaction began."""
    cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
    return datetime.datetime.fromtimestamp(one_row(cursor)[0], datetime.timezone.utc)


def _moment(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


def open_now(openings: Sequence[Mapping[str, str]], now: datetime.datetime) -> Json:
    """The opening that it is in: the begin belongs to it, the end does not.

    Args:
        openings: of each opens and closes (UTC), opens_local, closes_local (for people) and timezone, in order.
        now: by the server's clock.

    Raises:
        Refused: it is in none.
    """
    for one in openings:
        if _moment(one["opens"]) <= now < _moment(one["closes"]):
            return dict(one)
    coming = [one for one in openings if _moment(one["opens"]) > now]
    opens = f" The next one opens on {coming[0]['opens_local']} ({coming[0]['timezone']})." if coming else ""
    raise Refused(
        "outside_maintenance_window",
        f"{ITEM}: it is {now:%A %Y-%m-%d %H:%M} UTC, and no window is open.{opens} Run again then, or change"
        " maintenance_window_hours.",
    )


def needed_seconds(evidence: Sequence[Json]) -> tuple[float, float]:
    """How long the statements of migrations took on the copy, and those of their rollbacks.

    Args:
        evidence: of the rehearsal, of each migration.
    """
    return (
        sum(one["seconds"] for proof in evidence for one in proof["statements"]),
        sum(one["seconds"] for proof in evidence for one in proof.get("rollback_statements") or []),
    )


def refuse_too_little_time(
    receipts: Sequence[Receipt], now: datetime.datetime, evidence: Sequence[Json]
) -> None:
    """What begins in a window is to end in it, and so is the rollback that a failed deploy does by itself.

    Args:
        receipts: of the run, oldest first.
        now: by the server's clock.
        evidence: see needed_seconds().

    Raises:
        Refused: less is left of the window than the rehearsal took.
    """
    opening = _entered(receipts)
    if not opening:
        return
    left = (_moment(opening["closes"]) - now).total_seconds()
    apply, rollback = needed_seconds(evidence)
    if left >= apply + rollback and left > 0:
        return
    closes = f"closes on {opening['closes_local']} ({opening['timezone']})"
    rest = f"{closes}, in {in_words(left)}" if left > 0 else f"{closes}, which is over"
    raise Refused(
        "rehearsed_time_exceeds_window",
        f"{ITEM}: on the copy the statements took {in_words(apply)}, and those of the rollback {in_words(rollback)},"
        f" but the window {rest}. Production was not touched. Begin earlier in a window, or change"
        " maintenance_window_hours.",
    )


def _entered(receipts: Sequence[Receipt]) -> Json | None:
    """The opening in which the run is; the step that looks at it may have left another receipt since, on its mode."""
    for receipt in reversed(receipts):
        if receipt["step"] == "maintenance_window" and "window" in receipt["outputs"]:
            return receipt["outputs"].get("opening")
    return None


def in_words(seconds: float) -> str:
    """A time as a person reads it: 0.3 s, 45 s, 12 min, 2 h 5 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
