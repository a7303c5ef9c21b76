# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Several migrations that production will apply in one transaction: rehearsed so, and taken back so.

Each was applied and rolled back alone before, so that what is found here comes from their being together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..content.difference import difference
from ..errors import Refused
from ..sentences import listed
from ..shapes import Catalog, Content, Json, Migration

if TYPE_CHECKING:
    from .rehearsal import Rehearsal

__all__ = ["rehearse_together"]

NOT_TOUCHED = "Production was not touched. Deploy them without together."


def rehearse_together(
    rehearsal: Rehearsal,
    migrations: Sequence[Migration],
    evidence: Sequence[Json],
    before: tuple[Catalog, Content | None],
) -> None:
    """Apply all in one transaction, and roll all back in another one.

    Args:
        rehearsal: none of the migrations is applied now.
        evidence: of each; what it did is now what it did among the others, with which production is compared.
        before: what was there before any of them was ever applied (see Rehearsal.state).

    Raises:
        Refused: it fails, or another schema or other rows are there in the end.
    """
    _, content_before = rehearsal.state()
    for proof, work in zip(evidence, rehearsal.apply_all(migrations)):
        proof["statements"] = work.statements
        proof["impact"] = {**work.impact, "salvage_returned": work.returned}
        # In one transaction each finds what the others have just made.
        proof["read_in_part"] &= work.notes["read_in_part"]
    for proof, work in zip(reversed(evidence), rehearsal.roll_back_all(list(reversed(migrations)))):
        proof["rollback_read_in_part"] &= work.notes["read_in_part"]
    catalog, content = rehearsal.state()
    lines = rehearsal.differing(before[0], catalog)
    # Compared with what there was just now: what the rollbacks do not give back was let pass before.
    lines += [f"{one['table']}: {one['problem']}" for one in difference(content_before, content)]
    if lines:
        raise Refused(
            "rehearsal_together_differs",
            f"The rollbacks of {', '.join(one['version'] for one in migrations)}, all in one transaction, do not give"
            f" back what there was: {listed(lines)}. {NOT_TOUCHED}",
        )
