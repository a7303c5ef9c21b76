# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What production is in when a run has ended, in one sentence."""

from __future__ import annotations

from typing import Any

__all__ = ["STATE_OF_PRODUCTION", "half_done", "is_done", "lost", "state_of_production"]

STATE_OF_PRODUCTION = {
    "deployed": "Production has the {migrations}.",
    "refused": "Production was not touched.",
    "unchanged": "Production is as it was: the transaction was rolled back.",
    "rolled_back": "Production is as it was before the {migrations}: the rollback was committed.",
    "rehearsed": "Production was only read.",
    "restored": "Production is the restored backup.",
    "drilled": "Production was only read, but for the line in its ledger that says that there was a drill.",
    "awaiting_approval": "Production was not touched, and the run holds nothing: others may work.",
}

LOOK = "What is in production is not known here."


def state_of_production(run: dict[str, Any]) -> str:
    migrations = "migrations" if len(run["migrations"]) > 1 else "migration"
    if run["outcome"] in ("deployed", "rolled_back") and not run["migrations"] and run.get("files"):
        return "Production's database was only read; the files on disk now agree with it."
    if run["outcome"] == "deployed" and not run["migrations"]:
        return "Nothing was pending, and nothing was done."
    if run["outcome"] == "rolled_back" and not run["migrations"]:
        return "Nothing later was applied, and nothing was done."
    if run["outcome"] == "rolled_back" and (run.get("proof") or {}).get("not_given_back"):
        return (
            f"The rollback was committed: production has the schema from before the {migrations}, and its rows but for"
            " those that the rollback does not give back."
        )
    if run["outcome"] != "failed":
        return STATE_OF_PRODUCTION[run["outcome"]].format(migrations=migrations)
    applied = lost(run)
    if applied is not None:
        here = (
            f"{', '.join(applied)} is applied"
            if applied
            else f"{', '.join(run['migrations'])} is not applied"
        )
        return (
            "Another server answers now than the one that this run has changed, and has not got what was committed"
            f" last: in its database {here}. The other one may still have it."
        )
    begun = half_done(run)
    if begun is not None:
        whole = [version for step in run["steps"] for version in step.get("committed") or []]
        also = f"{', '.join(whole)} is applied, and " if whole else ""
        return f"Production is between two states: {also}{begun['words']}."
    if run["playbook"] == "restore":
        if any(step.get("reason_code") == "application_not_let_in" for step in run["steps"]):
            return "Production's rows are as they were: nothing was swapped. But its database lets nobody in."
        if not is_done(run, "swap"):
            return LOOK
        return f"Production is the restored backup, but {_check(run, 'swap')}."
    if run["playbook"] == "deploy" and any(
        step["step"] == "emergency_rollback" and step["status"] == "ok" and step.get("migrations")
        for step in run["steps"]
    ):
        return (
            f"Production's database is as it was before the {migrations}, but files on disk have not followed it"
            " back."
        )
    if not run["migrations"] and run.get("files"):
        return "Production's database was only read; files on disk are behind it."
    changed = "emergency_rollback" if run["playbook"] == "emergency_rollback" else "apply"
    if is_done(run, changed):
        what = (
            f"WAS ROLLED BACK, but {_check(run, changed)}"
            if changed != "apply"
            else f"STILL HAS the {migrations}"
        )
        return f"Production {what}."
    return LOOK


def lost(run: dict[str, Any]) -> list[str] | None:
    """What is applied where the ledger that answers lacks what the run committed; None where it has it, or is older."""
    return next((step["lost"] for step in reversed(run["steps"]) if step.get("lost") is not None), None)


def half_done(run: dict[str, Any]) -> dict[str, str] | None:
    """The migration that the run has left half done, and what of it is committed; None where there is none."""
    return next((step["half_done"] for step in reversed(run["steps"]) if step.get("half_done")), None)


def is_done(run: dict[str, Any], name: str) -> bool:
    """Whether a step that changes production has done so, even where it could not say so itself."""
    return any(
        step["step"] == name and (step["status"] == "ok" or step.get("done", False)) for step in run["steps"]
    )


def _check(run: dict[str, Any], changed: str) -> str:
    """What became of the check after a change."""
    became = {step["step"]: step["status"] for step in run["steps"]}
    if became.get(changed) == "failed":
        return "the run broke off before the check after it"
    return "the check after it failed" if "smoke_test" in became else "the check after it did not run"
