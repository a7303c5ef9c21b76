# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Receipts: what a step recorded, chained by digest, and the gates that are decided on them.

Everything here is a function of values; the ledger stores receipts, this module says what they mean.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Mapping, Sequence

from ..digests import digest_of
from ..errors import Refused, StepFailed
from ..shapes import Identity, Json, Migration, Receipt

__all__ = [
    "ALL_SCRIPTS",
    "CHAINS",
    "DEPLOYED_SCRIPTS",
    "DEPLOY_STEPS",
    "DRILL_STEPS",
    "FIRST_PREVIOUS",
    "READING_PLAYBOOKS",
    "REHEARSE_STEPS",
    "RESTORE_STEPS",
    "RESTORING_STEPS",
    "ROLLBACK_STEPS",
    "altered",
    "broken_link",
    "check_gate",
    "check_smoke_scripts",
    "committed_versions",
    "digest_of_receipt",
    "in_force",
    "latest",
    "make_receipt",
    "outputs_in",
    "script_digests",
]

DEPLOY_STEPS = (
    "preflight",
    "maintenance_window",
    "backup",
    "verify_restore",
    "rehearse",
    "apply",
    "verify",
    "smoke_test",
)
REHEARSE_STEPS = ("preflight", "backup", "verify_restore", "rehearse")
REHEARSE_FROM_EMPTY_STEPS = ("preflight", "rehearse_from_empty")
DRILL_STEPS = ("preflight", "backup", "verify_restore", "drill")
ROLLBACK_STEPS = ("preflight", "emergency_backup", "emergency_rollback", "smoke_test")
RESTORING_STEPS = ("restore", "count_rows", "swap")
RESTORE_STEPS = ("preflight", *RESTORING_STEPS, "smoke_test")

CHAINS = {
    "deploy": (DEPLOY_STEPS,),
    "rehearse": (REHEARSE_STEPS, REHEARSE_FROM_EMPTY_STEPS),
    "emergency_rollback": (ROLLBACK_STEPS,),
    "restore": (RESTORE_STEPS,),
    "drill": (DRILL_STEPS,),
}

#: They only read production: their receipts are in a file beside the backup. (A drill leaves a line of its own.)
READING_PLAYBOOKS = ("rehearse", "drill")

# A deploy that failed after its COMMIT goes on with these, whatever came before.
AUTOMATIC_ROLLBACK_REQUIRES = {
    "emergency_backup": ("preflight",),
    "emergency_rollback": ("preflight", "emergency_backup"),
    "files_rename": ("preflight", "emergency_backup", "emergency_rollback"),
    "restore": ("preflight", "backup", "verify_restore"),
    "count_rows": ("preflight", "backup", "verify_restore", "restore"),
    "swap": ("preflight", "backup", "verify_restore", "restore", "count_rows"),
}

# Steps that belong to a run only where there is something for them to do. maintenance_window: a restore notes in it
# that it takes the application out of service. approval: where others have to say yes; apply looks for that by itself.
# The others: where a migration's header asks for them and the inventory has a library. apply waits for those of
# files_check by itself, one from each host. Nothing waits for files_rename: in a deploy it is the last step, and after
# a rollback there is no way back.
OPTIONAL_STEPS: dict[str, dict[str, tuple[str, ...]]] = {
    "maintenance_window": {"restore": ("preflight", "restore", "count_rows")},
    "files_check": {"deploy": DEPLOY_STEPS[: DEPLOY_STEPS.index("apply")]},
    "approval": {"deploy": DEPLOY_STEPS[: DEPLOY_STEPS.index("apply")]},
    "files_rename": {
        "deploy": DEPLOY_STEPS,
        "emergency_rollback": ("preflight", "emergency_backup", "emergency_rollback"),
    },
}

FIRST_PREVIOUS = "0" * 64

ALL_SCRIPTS = ("apply", "rollback", "verify", "precheck")

# Those that what is in the database comes from, or was tested by. A precheck was about what came before.
DEPLOYED_SCRIPTS = ("apply", "rollback", "verify")

# A rollback must not fail because a script was edited that it does not run.
SCRIPTS_OF_STEP = {
    "emergency_backup": (),
    "emergency_rollback": ("rollback",),
    "smoke_test": (),
    "files_check": (),
    "files_rename": (),
}


def make_receipt(
    run_id: str,
    step: str,
    status: str,
    started: str,
    finished: str,
    identity: Identity,
    previous: str,
    migration: str | None = None,
    inputs: Json | None = None,
    outputs: Json | None = None,
) -> Receipt:
    """One receipt.

    Args:
        run_id: name of the run.
        step: name of the step, which is the name of its role.
        status: "ok" or "failed".
        started, finished: UTC times as ISO 8601 text ending in "Z".
        identity: which database it is about (see connection.server_identity).
        previous: digest of the receipt before it in the same ledger.
        migration: version, for a step that writes one receipt for each migration.
        inputs, outputs: JSON-able facts; digests of what went in and of what came out among them.

    Returns:
        dict: the document plus its own ``digest``.
    """
    receipt: Receipt = {
        "run_id": run_id,
        "step": step,
        "migration": migration,
        "status": status,
        "started": started,
        "finished": finished,
        "identity": {key: identity[key] for key in ("system_identifier", "database", "database_oid")},
        # As they are now: a step goes on with what it has found, and the digest is of what stands in the ledger.
        "inputs": copy.deepcopy(inputs or {}),
        "outputs": copy.deepcopy(outputs or {}),
        "previous": previous,
        "digest": "",
    }
    receipt["digest"] = digest_of_receipt(receipt)
    return receipt


def digest_of_receipt(receipt: Receipt) -> str:
    """Digest of all of it but the digest, and the signature that a copy on the controller may have."""
    return digest_of({key: value for key, value in receipt.items() if key not in ("digest", "signature")})


def broken_link(receipts: Iterable[Receipt], previous: str = FIRST_PREVIOUS) -> Receipt | None:
    """The first receipt of a chain, in order, that was changed or whose predecessor is gone, or None.

    Args:
        previous: digest of the receipt before the first of these.
    """
    for receipt in receipts:
        if receipt.get("digest") != digest_of_receipt(receipt) or receipt.get("previous") != previous:
            return receipt
        previous = receipt["digest"]
    return None


def script_digests(migration: Migration) -> dict[str, str | None]:
    """dict kind -> digest of each script of a migration, None for one that it does not have."""
    scripts = {
        "apply": migration["apply"],
        "rollback": migration.get("rollback"),
        "verify": migration.get("verify"),
        "precheck": migration.get("precheck"),
    }
    return {kind: script["sha256"] if script else None for kind, script in scripts.items()}


def altered(receipts: Iterable[Receipt]) -> Receipt | None:
    """The first receipt that no longer has the digest it was given, or None; for a part of a chain."""
    for receipt in receipts:
        if receipt["digest"] != digest_of_receipt(receipt):
            return receipt
    return None


def latest(receipts: Sequence[Receipt], step: str, migration: str | None = None) -> Receipt | None:
    """The newest receipt of ``step`` (and of ``migration`` where given), or None."""
    for receipt in reversed(receipts):
        if receipt["step"] == step and migration in (None, receipt["migration"]):
            return receipt
    return None


def outputs_in(receipts: Sequence[Receipt], step: str, migration: str | None = None) -> Json:
    """The outputs in the newest receipt of ``step``.

    Raises:
        StepFailed: when there is none; the gate has normally seen to it.
    """
    receipt = latest(receipts, step, migration)
    if receipt is None:
        raise StepFailed(
            "step_out_of_order",
            f"This run has no receipt of step {step}. Run the whole playbook: steps cannot be skipped.",
        )
    return receipt["outputs"]


def in_force(receipts: Sequence[Receipt]) -> list[Receipt]:
    """The receipts that speak of the database as it is: without those of a database that a restore has replaced.

    What was done between a backup and its restore is gone with the database in which it was done.

    Args:
        receipts: the whole chain, oldest first.
    """
    kept: list[tuple[int, Receipt]] = []
    for position, receipt in enumerate(receipts):
        if receipt["step"] == "swap" and receipt["status"] == "ok":
            kept = [one for one in kept if one[0] < receipt["outputs"]["receipts_in_backup"]]
        kept.append((position, receipt))
    return [receipt for _, receipt in kept]


def _same_database(receipt: Receipt, identity: Identity, receipts: Sequence[Receipt]) -> bool:
    """Whether the receipt is about the database that we are connected to, or about the one that it has replaced."""
    theirs = receipt["identity"]
    ours = {key: identity[key] for key in theirs}
    if theirs == ours:
        return True
    swap = latest(receipts, "swap")
    if swap is None or swap["status"] != "ok" or swap["identity"] != ours:
        return False
    return theirs == {**ours, "database_oid": swap["outputs"].get("replaced_oid")}


def committed_versions(receipts: Iterable[Receipt], step: str = "apply") -> list[str]:
    """Versions that a run has applied to production and not taken back, by its receipts, oldest first.

    Args:
        step: "emergency_rollback" for those that it has taken back.
    """
    last: dict[str, str] = {}
    for receipt in receipts:
        if receipt["status"] == "ok" and receipt["step"] == "swap":
            last.clear()  # the database in which they were applied was replaced
        if receipt["status"] == "ok" and receipt["migration"]:
            last[receipt["migration"]] = receipt["step"]
    return [version for version, last_step in last.items() if last_step == step]


def required_steps(
    playbook: str, step: str, automatic: bool = False, nothing_selected: bool = False
) -> tuple[str, ...]:
    """The steps whose receipts ``step`` needs in its own run.

    Args:
        nothing_selected: the run changes nothing in the database, so that only preflight has run.
    """
    if automatic:
        return AUTOMATIC_ROLLBACK_REQUIRES[step]
    if step in OPTIONAL_STEPS and playbook in OPTIONAL_STEPS[step]:
        return ("preflight",) if nothing_selected else OPTIONAL_STEPS[step][playbook]
    for chain in CHAINS[playbook]:
        if step in chain:
            return chain[: chain.index(step)]
    raise Refused("step_out_of_order", f"Step {step} is not part of {playbook}. Run the whole playbook.")


def check_gate(
    step: str,
    playbook: str,
    receipts: Sequence[Receipt],
    identity: Identity,
    scripts: Mapping[str, Mapping[str, str | None]],
    automatic: bool = False,
    max_age: Mapping[str, tuple[float, float, str]] | None = None,
) -> None:
    """Whether ``step`` may run; returns nothing, or raises.

    Args:
        step: the step that asks.
        playbook: "deploy", "rehearse", "emergency_rollback", "restore" or "drill".
        receipts: this run's receipts, oldest first.
        identity: which database we are connected to now.
        scripts: dict version -> {"apply", "rollback", "verify", "precheck"} digests of the SQL as it is now.
        automatic: the rollback that a failed deploy does by itself.
        max_age: dict step -> (age of its receipt in minutes now, greatest allowed age in minutes, the variable that
            says so).

    Raises:
        Refused: with the first reason found.
    """
    changed = altered(receipts)
    if changed is not None:
        raise Refused(
            "receipt_altered",
            f"The receipt of step {changed['step']} was changed after it was written, so that this run no longer"
            " proves anything. Start a new run, and find out who writes to schema runbook or to backup_dir.",
        )
    preflight = latest(receipts, "preflight")
    nothing_selected = preflight is not None and preflight["outputs"].get("migrations") == []
    for needed in required_steps(playbook, step, automatic, nothing_selected):
        receipt = latest(receipts, needed)
        if receipt is None:
            raise Refused(
                "step_out_of_order",
                f"Step {step} needs the receipt of step {needed}, and this run has none."
                f" Run the whole playbook: steps cannot be skipped.",
            )
        if receipt["status"] != "ok":
            raise Refused(
                "step_out_of_order",
                f"Step {step} needs step {needed} to have succeeded, but in this run it failed. Start a new run.",
            )
        if not _same_database(receipt, identity, receipts):
            theirs = receipt["identity"]
            raise Refused(
                "receipt_of_another_database",
                f"The receipt of step {needed} belongs to another database ({theirs['database']} of server"
                f" {theirs['system_identifier']}), not to {identity['database']} of server"
                f" {identity['system_identifier']}. Check db_host and db_name, and start a new run.",
            )
        if max_age and needed in max_age:
            age, allowed, variable = max_age[needed]
            if age > allowed:
                raise Refused(
                    "receipt_too_old",
                    f"The receipt of step {needed} is {age:.1f} minutes old, and {variable} allows {allowed:g}"
                    " minutes. Start a new run.",
                )
    # A restore runs no script, and must not fail because one was edited or is gone.
    if preflight is not None and step not in RESTORING_STEPS:
        kinds = SCRIPTS_OF_STEP.get(step, ALL_SCRIPTS)
        again = _new_run(playbook, preflight["outputs"].get("migrations") or [])
        check_scripts(preflight["inputs"].get("scripts", {}), scripts, kinds, again)


def _new_run(playbook: str, migrations: Sequence[str]) -> str:
    """The command that does anew what a run was about, after a colon; empty where that is not its migrations."""
    if playbook not in ("deploy", "emergency_rollback") or not migrations:
        return ""
    several = "pending" if playbook == "deploy" else ",".join(migrations)
    return (
        f": ansible-playbook {playbook}.yml -e migration={several if len(migrations) > 1 else migrations[0]}"
    )


def check_smoke_scripts(recorded: Mapping[str, str] | None, present: Mapping[str, str]) -> None:
    """Refuse when the smoke scripts of sql_dir are not those that preflight read.

    Args:
        recorded: name -> digest; None in a receipt of an earlier version, or of a restore, which reads no SQL first.
        present: likewise, of those that would run now.
    """
    if recorded is None or recorded == present:
        return
    changed = sorted(name for name in {*recorded, *present} if recorded.get(name) != present.get(name))
    raise Refused(
        "sql_dir_changed",
        f"Smoke script {', '.join(changed)} was edited, added or removed after the preflight of this run, and was not"
        " run. Put it back and type the same command again, or start a new run.",
    )


def check_scripts(
    recorded: Mapping[str, Mapping[str, str | None]],
    present: Mapping[str, Mapping[str, str | None]],
    kinds: Collection[str] = ALL_SCRIPTS,
    again: str = "",
) -> None:
    """Refuse when a script of the run has other bytes now than when preflight read it.

    Args:
        recorded, present: dict version -> kind -> digest.
        kinds: those that matter to the step that asks.
        again: the command that does anew what the run was about, after a colon.
    """
    for version, digests in recorded.items():
        if version not in present:
            raise Refused(
                "sql_dir_changed",
                f"The scripts of migration {version} are no longer in sql_dir. Start a new run.",
            )
        for kind in kinds:
            digest = digests.get(kind)
            if present[version].get(kind) != digest:
                raise Refused(
                    "sql_dir_changed",
                    f"The {kind} script of migration {version} was edited after the preflight of this run."
                    f" Start a new run, so that what is applied is what was rehearsed{again or '.'}",
                )
