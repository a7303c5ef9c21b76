# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A restore to a point that another run has set, beyond that of the backup: which points there are, and reaching one.

No fingerprint was taken at such a point, so that what is restored cannot be compared with one. What can be known is
that the recovery ended there: PostgreSQL ends it there or fails, and the ledger in what was recovered is that of then.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from ..activity import begin
from ..errors import Refused, StepFailed
from ..sentences import listed
from ..shapes import Json, Receipt

__all__ = ["at_point", "check_reached", "fill_to_point", "point_named"]

POINTS_SHOWN = 5


def _points(receipts: Sequence[Receipt]) -> Iterator[Json]:
    """The restore points that runs have set, oldest first: name, lsn, run_id, position (of the receipt behind it)."""
    for position, receipt in enumerate(receipts):
        outputs = receipt["outputs"] or {}
        if receipt["step"] == "preflight":
            outputs = outputs.get("restore_point") or {}
        if receipt["status"] == "ok" and outputs.get("restore_point"):
            facts = {"name": outputs["restore_point"], "lsn": outputs["lsn"]}
            yield {**facts, "run_id": receipt["run_id"], "position": position}


def point_named(receipts: Sequence[Receipt], run_id: str, name: str, manifest: Json) -> Json:
    """The restore point that a restore is to go on to from the backup of a run.

    Args:
        receipts: the whole chain of the ledger, oldest first.
        run_id: whose backup it begins with.
        name: of the point.
        manifest: of that backup.

    Returns:
        dict: name, lsn, run_id (who has set it), position (how many receipts there were by then), after (how many there
        were when the backup was made).

    Raises:
        Refused: the backup is a dump, or there is no such point behind it.
    """
    if (manifest.get("engine") or {}).get("name") != "pgbackrest":
        raise Refused(
            "restore_point_unusable",
            f"restore_to is for backups of pgbackrest, and that of run {run_id} is a dump, which holds one moment."
            " Nothing was changed. Leave restore_to out, or name the run of another backup.",
        )
    after = next(
        (n for n, one in enumerate(receipts) if (one["run_id"], one["step"]) == (run_id, "backup")),
        len(receipts),
    )
    usable = [point for point in _points(receipts) if point["position"] > after]
    for point in usable:
        if point["name"] == name:
            return {**point, "after": after}
    names = [f"{point['name']} (run {point['run_id']})" for point in reversed(usable)]
    what = f"Those are, newest first: {listed(names, POINTS_SHOWN, ', ')}." if names else "There is none."
    raise Refused(
        "restore_point_unusable",
        f"The ledger knows no restore point {name!r} that was set after the backup of run {run_id}. Nothing was"
        f" changed. {what}",
    )


def at_point(manifest: Json, point: Json) -> Json:
    """The manifest for a recovery that goes on to a point, where nothing is known of what there is."""
    return {**manifest, "engine": {**manifest["engine"], "restore_point": point["name"], "seen": None}}


def fill_to_point(fill: Callable[[], object]) -> Json:
    """Restore, and compare nothing; returns what there is to say of it instead of a proof."""
    clock = time.monotonic()
    begin("restoring")
    fill()
    nothing = dict.fromkeys(("schema_equal", "data_equal", "tables", "rows"))
    return {**nothing, "seconds": round(time.monotonic() - clock, 3)}


def check_reached(in_backup: int, point: Json) -> None:
    """The ledger in what was recovered has the receipts from before the point, and no later ones.

    Args:
        in_backup: how many it has, which are the first of the live ledger.

    Raises:
        StepFailed: it has others.
    """
    if not point["after"] < in_backup <= point["position"]:
        raise StepFailed(
            "restore_point_unusable",
            f"What was recovered to restore point {point['name']} has {in_backup} receipts in its ledger, and"
            f" there were more than {point['after']} and at most {point['position']} when the point was set: it is"
            " another point. Production is as it was.",
        )
