# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Preconditions of an author: what a migration's precheck script wants to hold of production's rows before it begins.

They are asked before a run is opened, so that one which does not hold has touched nothing; in a session of their own,
which is gone afterwards with whatever lock a script has taken in it, and in a transaction that can only read.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

from ..errors import Refused
from ..ledger.journal import open_journal
from ..postgres.connection import connect, psycopg2, transaction
from ..postgres.message import one_line
from ..shapes import Connection, Json, Script
from ..step.step import Step
from .script import CANCELED, LOCK_CODES, LockPolicy, ScriptFailed, run_checks

__all__ = ["PRECHECK_SPEC", "ask_prechecks"]

PRECHECK_SPEC: Json = {"precheck_timeout_seconds": {"type": "float", "default": 60}}

# Not read_committed(), which is for transactions that write.
READ_ONLY = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY"

UNTOUCHED = "No run was begun, and production was only read."


def ask_prechecks(step: Step, versions: Sequence[str]) -> list[str]:
    """Ask what the prechecks of these migrations ask, on production as it is now.

    Args:
        step: preflight of a deploy or a rehearsal, its plan with ``prechecks``.
        versions: selected, in order.

    Returns:
        names of the scripts that held.

    Raises:
        Refused: one does not hold, or could not be asked.
    """
    scripts = _to_ask(step, versions)
    if not scripts:
        return []
    limit = step.params["precheck_timeout_seconds"]
    if limit < 0.001:
        raise Refused("setting_invalid", f"precheck_timeout_seconds must be at least 0.001. {UNTOUCHED}")
    with contextlib.closing(connect(step.params["target"])) as connection:
        for version, script in scripts.items():
            before = versions[: versions.index(version)]
            _ask(connection, version, script, LockPolicy(statement_timeout_seconds=limit), before)
    return [script["name"] for script in scripts.values()]


def _to_ask(step: Step, versions: Sequence[str]) -> Mapping[str, Script]:
    """Version -> script, in order, of those that ask anything.

    From an empty database there are no rows to ask about; and of a migration that is half done the precondition held
    when it began.
    """
    if step.playbook not in ("deploy", "rehearse") or step.params["run"]["migration"] == "all":
        return {}
    with transaction(step.connection) as cursor:
        half_done = open_journal(cursor)
    begun = half_done["migration"] if half_done is not None else None
    known = step.plan.get("prechecks", {})
    return {
        version: known[version]
        for version in versions
        if version != begun and version in known and known[version]["statements"]
    }


def _ask(
    connection: Connection, version: str, script: Script, limits: LockPolicy, before: Sequence[str]
) -> None:
    """
    Args:
        version, script: of the migration.
        limits: on its statements.
        before: migrations that the same run would apply first.

    Raises:
        Refused: it does not hold, or could not be asked.
    """
    try:
        with transaction(connection) as cursor:
            cursor.execute(READ_ONLY)
            limits.set_in(cursor)
            run_checks(cursor, [script])
    except ScriptFailed as error:
        if error.details.get("sqlstate") == CANCELED:
            raise _unanswered(version, script, limits, error.details["message"]) from None
        raise Refused(
            "precondition_not_met",
            f"The precondition of migration {version} does not hold in production: {error.reason.rstrip('.')}."
            f" {UNTOUCHED} Look at the rows that it asks about, or correct the script if the check is"
            f" wrong.{_first(before)}",
            **error.details,
        ) from None
    except psycopg2.Error as error:
        if error.pgcode not in LOCK_CODES:
            raise
        raise _unanswered(version, script, limits, one_line(error)) from None


def _unanswered(version: str, script: Script, limits: LockPolicy, said: object) -> Refused:
    return Refused(
        "precondition_unanswered",
        f"The precondition of migration {version} could not be asked: {script['name']}: {said}. A statement has"
        f" {limits.statement_timeout_seconds:g} s (precheck_timeout_seconds), and {limits.timeout_seconds:g} s for a"
        f" lock. {UNTOUCHED} Run again at a quieter time, or let the script ask for less.",
        script=script["name"],
    )


def _first(before: Sequence[str]) -> str:
    """What else may be the reason, where the same run would have applied other migrations first."""
    if not before:
        return ""
    return (
        " It is asked before anything is applied: if it is about what an earlier migration makes, deploy up to that"
        f" one first: -e migration=pending -e until={before[-1]}"
    )
