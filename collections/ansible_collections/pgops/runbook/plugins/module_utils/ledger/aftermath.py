# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What became of a step that changes production and could not report, and of a run that nobody closed: the ledger says.

Functions of values, as receipts.py; the frame of the steps asks.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..errors import RunbookError, StepFailed, Unchanged
from ..sentences import counted
from ..shapes import Identity, Json, Receipt
from .receipts import CHAINS, committed_versions, latest

__all__ = [
    "CHANGING_STEPS",
    "FIRST_STEP_THAT_CHANGES",
    "SUCCESS",
    "TAKEN_OVER_SPEC",
    "aftermath",
    "agrees",
    "begun_by",
    "committed",
    "committed_in_words",
    "committed_of_script",
    "ended_as",
    "half_done_in_words",
    "has_changed",
    "has_swapped",
    "replaced_name",
    "why_taken_over",
]

#: Playbook -> outcome of a run that did what was asked for.
SUCCESS = {
    "deploy": "deployed",
    "rehearse": "rehearsed",
    "emergency_rollback": "rolled_back",
    "restore": "restored",
    "drill": "drilled",
}

#: Playbook -> the step before which a failure leaves production as it was.
FIRST_STEP_THAT_CHANGES = {
    "deploy": "apply",
    "emergency_rollback": "emergency_rollback",
    "rehearse": None,
    "restore": "swap",
    "drill": None,
}

#: The steps after which production is another one.
CHANGING_STEPS = ("apply", "emergency_rollback", "swap")

# Why another run took the place of one that nobody closed: no more than is known, since a controller that nobody could
# see may have been alive.
WHY_TAKEN_OVER = {
    "named": "run {} was told by take_over to take its place",
    "gone": "its controller was gone when run {} began",
    "unseen": "its lease was over and nobody could see its controller",
}

#: Option of a step: what its controller knows of that of the run named by take_over.
TAKEN_OVER_SPEC = {"type": "str", "default": "named", "choices": list(WHY_TAKEN_OVER)}

# Of an identifier (manual, "Identifiers and Key Words").
NAME_BYTES = 63

AGAIN = "When the cause is gone, type the same command again."

DIRECTIONS = {"apply": "apply", "emergency_rollback": "rollback"}


def aftermath(
    step: str,
    code: str,
    reason: str,
    receipts: Sequence[Receipt],
    identity: Identity,
    half_done: Json | None,
) -> RunbookError:
    """How a step ended that did not end by itself; no session of it may be at work any more.

    Args:
        step: one of CHANGING_STEPS.
        code, reason: why it ended.
        receipts: of its run, oldest first.
        identity: of the database that has the name now.
        half_done: the journal of its run that is not closed, or None (see journal.journal_of).

    Returns:
        Unchanged, or StepFailed with ``done`` among its details where production was changed.
    """
    if step == "swap":
        if not has_swapped(receipts, identity):
            return Unchanged(
                code, f"{reason} The databases were not swapped, and the application is let in. {AGAIN}"
            )
        return StepFailed(
            code, f"{reason} It had swapped the databases: production is the restored backup.", done=True
        )
    if half_done is not None and half_done["direction"] == DIRECTIONS[step]:
        return StepFailed(
            code,
            f"{reason} Migration {half_done['migration']} is half done: {committed_of_script(half_done)}. The same"
            " command resumes where it stopped.",
        )
    versions = committed_versions(receipts, step)
    what = "committed" if step == "apply" else "taken back"
    if versions:
        return StepFailed(code, f"{reason} It had {what} {', '.join(versions)}.", done=True)
    return Unchanged(code, f"{reason} It had {what} nothing. {AGAIN}")


def has_swapped(receipts: Sequence[Receipt], identity: Identity) -> bool:
    """Whether the database that a restore has made has the name by now, whatever it could say of that.

    Args:
        receipts: of the run.
        identity: of the database that has the name now.
    """
    restored = latest(receipts, "restore")
    return restored is not None and restored["outputs"].get("database_oid") == identity["database_oid"]


def committed(receipts: Sequence[Receipt], identity: Identity, half_done: Json | None) -> Json:
    """What a run has made of production, as far as its receipts and its journal tell.

    Args:
        receipts, identity, half_done: see ``aftermath``.

    Returns:
        dict: applied and rolled_back (versions), replaced (the name under which the database lies that a restored one
        has taken the place of, or None), half_done (what is in place of a migration whose statements commit one by
        one, as a clause, or None).
    """
    swapped = has_swapped(receipts, identity)
    return {
        "applied": committed_versions(receipts),
        "rolled_back": committed_versions(receipts, "emergency_rollback"),
        "replaced": replaced_name(identity["database"], receipts[0]["run_id"]) if swapped else None,
        "half_done": half_done_in_words(half_done) if half_done is not None else None,
    }


def committed_of_script(half_done: Json) -> str:
    """What is committed of a migration that is half done, as a clause.

    Args:
        half_done: as journal.open_journal gives it.
    """
    done = half_done["done"]
    verb = "is" if done == 1 else "are"
    clause = f"{counted(done, 'statement')} of its {half_done['direction']} script {verb} committed"
    line, batches = half_done.get("begun_line"), half_done.get("batches")
    if line is None:
        return clause
    if batches:
        return f"{clause}, and {counted(batches, 'batch', 'batches')} of the one at line {line}"
    return f"{clause}, and the one at line {line} was begun"


def half_done_in_words(half_done: Json) -> str:
    """Which migration is half done, and what of it is committed.

    Args:
        half_done: as journal.open_journal gives it.
    """
    what = (
        half_done["migration"]
        if half_done["direction"] == "apply"
        else f"the rollback of {half_done['migration']}"
    )
    return f"{what}: {committed_of_script(half_done)}"


def begun_by(half_done: Json) -> Json:
    """What a backup is to tell of the migration that is half done in it.

    Args:
        half_done: as journal.open_journal gives it.

    Returns:
        dict: migration, run_id (of the run that began it, whose backup is of the state before), words.
    """
    return {
        "migration": half_done["migration"],
        "run_id": half_done["run_id"],
        "words": half_done_in_words(half_done),
    }


def committed_in_words(done: Json) -> str:
    """
    Args:
        done: see ``committed``; without ``replaced`` and ``half_done`` of an older release.
    """
    words = [
        f"{what} {', '.join(done[key])}"
        for what, key in (("applied", "applied"), ("rolled back", "rolled_back"))
        if done[key]
    ]
    if done.get("replaced"):
        words.append(
            "swapped the databases: production is the restored backup, and what it was before is in database"
            f" {done['replaced']}"
        )
    if done.get("half_done"):
        words.append(f"begun {done['half_done']}")
    return " and ".join(words) or "committed nothing"


def replaced_name(database: str, run_id: str) -> str:
    """Name under which a replaced database stays: its own, and the time and the end of the run's name.

    Args:
        database: the live one; shortened where the name would get too long for an identifier.
        run_id: of the restore.
    """
    # Lower case: a name that psql takes without quotes.
    parts = run_id.lower().split("-")
    ending = "_before_" + "_".join(dict.fromkeys((parts[0], parts[-1])))[-40:]
    start = database.encode("utf-8")[: NAME_BYTES - len(ending.encode("utf-8"))]
    return start.decode("utf-8", errors="ignore") + ending


def has_changed(receipts: Sequence[Receipt]) -> bool:
    """Whether a run has begun to change production, as far as its receipts tell.

    Args:
        receipts: of the run.
    """
    return any(receipt["step"] in CHANGING_STEPS for receipt in receipts)


def why_taken_over(because: str, by: str) -> str:
    """
    Args:
        because: see TAKEN_OVER_SPEC.
        by: run_id of the run that takes the place.
    """
    return WHY_TAKEN_OVER[because].format(by)


def agrees(
    playbook: str, outcome: str, receipts: Sequence[Receipt], identity: Identity, half_done: Json | None
) -> bool:
    """Whether the receipts of a run leave it possible that it ended as its run.json says.

    Whatever that says, the ledger decides where production was changed.

    Args:
        playbook, receipts, identity, half_done: see ``ended_as``.
        outcome: of run.json.
    """
    if outcome == "refused":
        return not has_changed(receipts)
    if outcome == "unchanged":
        changes = FIRST_STEP_THAT_CHANGES.get(playbook)
        return changes is not None and _changed_nothing(changes, receipts, identity, half_done)
    return outcome == ended_as(playbook, receipts, identity, half_done, "")[0]


def _changed_nothing(
    changes: str, receipts: Sequence[Receipt], identity: Identity, half_done: Json | None
) -> bool:
    done = any(receipt["status"] == "ok" and receipt["step"] in CHANGING_STEPS for receipt in receipts)
    return not done and isinstance(aftermath(changes, "", "", receipts, identity, half_done), Unchanged)


def _had_come_to(changes: str, playbook: str, done: Collection[str]) -> bool:
    """Whether all that goes before the step that changes production was done."""
    chains = (chain[: chain.index(changes)] for chain in CHAINS[playbook] if changes in chain)
    return any(set(done).issuperset(chain) for chain in chains)


def ended_as(
    playbook: str, receipts: Sequence[Receipt], identity: Identity, half_done: Json | None, why: str
) -> tuple[str, str]:
    """Outcome and reason of a run that its controller did not close: what the receipts tell, and no more.

    Args:
        playbook: of the run.
        receipts, identity, half_done: see ``aftermath``.
        why: see ``why_taken_over``.
    """
    done = {receipt["step"] for receipt in receipts if receipt["status"] == "ok"}
    failed = next((receipt for receipt in receipts if receipt["status"] == "failed"), None)
    done_so_far = committed(receipts, identity, half_done) if receipts else None
    had = (
        f"it had {committed_in_words(done_so_far)}; "
        if done_so_far is not None and any(done_so_far.values())
        else ""
    )
    interrupted = "failed", f"{had}its end was not recorded: {why}"
    preflight = latest(receipts, "preflight")
    if preflight is None or preflight["outputs"].get("files"):
        return interrupted  # the hosts that have the files leave no receipt that all of them have followed
    changes = FIRST_STEP_THAT_CHANGES.get(playbook)
    if failed is None:
        if any(done.issuperset(chain) for chain in CHAINS.get(playbook, ())):
            return SUCCESS[playbook], f"all of it was done, and its end was not recorded: {why}"
        # It may have been in the midst of it: what was not committed by then is undone.
        if (
            changes is not None
            and _had_come_to(changes, playbook, done)
            and _changed_nothing(changes, receipts, identity, half_done)
        ):
            return "unchanged", f"production is as it was, and the run's end was not recorded: {why}"
        return interrupted
    reason = failed["outputs"].get("reason", "")
    if changes is None or not any(receipt["step"] == changes for receipt in receipts):
        return "refused", reason
    if playbook == "deploy" and "emergency_rollback" in done and not committed_versions(receipts):
        return "rolled_back", reason
    if failed["step"] != changes:
        return interrupted
    found = aftermath(changes, "", reason, receipts, identity, half_done)
    return ("unchanged", reason) if isinstance(found, Unchanged) else interrupted
