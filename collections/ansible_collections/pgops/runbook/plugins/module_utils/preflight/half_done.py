# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A migration whose statements commit one by one, and of which some are: it is finished first, and as it was begun."""

from __future__ import annotations

from ..consent import Consent
from ..errors import Refused
from ..ledger.aftermath import committed_of_script
from ..ledger.journal import open_journal
from ..ledger.ledger import Ledger
from ..ledger.receipts import latest
from ..shapes import Cursor, Json
from ..step.step import Step

__all__ = ["edited_since_begun", "refuse_half_done"]

FINISH = {"apply": "deploy", "rollback": "emergency_rollback"}

# The rehearsal of what is half done compares no rows, since nobody has those from before it: nothing but the text says
# that its rollback is the one that was proven.
MATTERS = {"apply": ("apply", "rollback"), "rollback": ("rollback",)}


def refuse_half_done(step: Step, cursor: Cursor) -> None:
    """Nothing else happens before it is finished.

    Raises:
        Refused: the run is about something else; or a script was edited since the migration was begun, and nobody has
            accepted that, or others would have to approve it.
    """
    half_done = open_journal(cursor)
    if half_done is None or step.playbook == "rehearse":
        return
    version, finish = half_done["migration"], FINISH[half_done["direction"]]
    if step.playbook != finish or step.params["run"]["migration"] not in (version, "pending"):
        raise Refused(
            "migration_half_done",
            f"Migration {version} is half done: run {half_done['run_id']} was stopped, and"
            f" {committed_of_script(half_done)}. Finish it first; it resumes where it stopped:"
            f" ansible-playbook {finish}.yml -e migration={version}",
        )
    edited = edited_since_begun(step, cursor, half_done)
    if edited and not Consent.of(step.params["accept_edited_scripts"]).given_for(version):
        raise Refused(
            "script_edited_when_half_done",
            f"The {edited[0]} script of migration {version} was edited since run {half_done['run_id']} began it, and"
            f" {committed_of_script(half_done)}. What was rehearsed with the rows from before is not this text. Bring"
            " the old text back, or if the edit is right, and you know what it does to the rows: -e"
            f" accept_edited_scripts={version}. Nothing was done.",
        )


def edited_since_begun(step: Step, cursor: Cursor, half_done: Json) -> list[str]:
    """Which scripts of a migration that is half done are no longer those with which it was begun, or last gone on with.

    Args:
        half_done: as journal.open_journal gives it.
    """
    run_id = half_done["resumed_by"] or half_done["run_id"]
    opening = latest(Ledger().receipts(cursor, run_id), "preflight")
    version = half_done["migration"]
    then = opening["inputs"].get("scripts", {}).get(version) if opening is not None else None
    now = step.script_digests().get(version)
    if then is None or now is None:
        return []
    return [kind for kind in MATTERS[half_done["direction"]] if then.get(kind) != now.get(kind)]
