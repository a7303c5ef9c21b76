# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Running a script's statements, one by one, inside the caller's transaction."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ..activity import advance, begin
from ..errors import StepFailed, known
from ..impact.meter import ImpactMeter
from ..ledger.bookkeeping import recorded_in
from ..ledger.versions import FoundTable, VersionTable
from ..postgres.connection import psycopg2
from ..postgres.constraints import constraints_as_declared, fire_deferred
from ..postgres.lock_waits import LOCK_CODES, LOCK_WAIT_SPEC, LockPolicy, with_lock_retries
from ..postgres.message import one_line
from ..postgres.script_session import scripts_turn
from ..postgres.statement_limits import StatementLimits
from ..sentences import listed
from ..shapes import Cursor, Migration, Runnable, Script, Statement, Timing
from .alike import add_timing, alike_in_turn
from .settings_left import left_to, settings_read

__all__ = [
    "CANCELED",
    "LOCK_CODES",
    "LOCK_SPEC",
    "LockPolicy",
    "ScriptFailed",
    "apply_migration",
    "check_script",
    "deferred_done",
    "refuse_hidden_versions",
    "roll_back_migration",
    "run_checks",
    "run_script",
    "run_statement",
    "script_of",
    "undone_afterwards",
    "with_lock_retries",
]

# query_canceled: statement_timeout, or somebody's pg_cancel_backend().
CANCELED = "57014"

# OIDs of date, time, timestamp, timestamptz, interval and timetz (pg_type.dat), which do not change.
TYPES_OF_TIME = (1082, 1083, 1114, 1184, 1186, 1266)

# Options of the modules that run statements of others in production.
LOCK_SPEC = {
    **LOCK_WAIT_SPEC,
    "statement_timeout_seconds": {"type": "float", "default": 900},
}


class ScriptFailed(StepFailed):
    """A statement of a script failed, or a check did not hold.

    ``details`` has script, line, statement, sqlstate and message.
    """


def run_script(
    cursor: Cursor,
    script: Runnable,
    meter: ImpactMeter | None = None,
    limits: StatementLimits | None = None,
) -> list[Timing]:
    """Run every statement of ``script``.

    Args:
        cursor: of an open transaction.
        script: dict with name and statements ({"sql", "line", "column", "kind"}).
        meter: ImpactMeter that adds to each statement's timing what it did.
        limits: set again after each statement, since it may have lifted them.

    Returns:
        list of dict: line, kind, seconds and rows (None where the command counts none) of each statement, and
        limits_lifted where it tried to. Statements in turn that differ in their values only have one, with
        ``alike``, their number, and the line of the first.

    Raises:
        ScriptFailed: naming file, line and PostgreSQL's message; lock errors go on as they are, so that
            the caller may try again.
    """
    timings: list[Timing] = []
    begin(f"{script['name']}: statements", len(script["statements"]))
    for alike in alike_in_turn(script["statements"]):
        timings.append(_run_alike(cursor, script["name"], alike, meter, limits))
    return timings


def _run_alike(
    cursor: Cursor,
    name: str,
    alike: list[Statement],
    meter: ImpactMeter | None,
    limits: StatementLimits | None,
) -> Timing:
    """Run statements that are alike, one after the other, and look at what they did after the first and the last."""
    whole = run_statement(cursor, name, alike[0], meter, limits)
    advance()
    for statement in alike[1:]:
        looks = meter if statement is alike[-1] else None
        add_timing(whole, run_statement(cursor, name, statement, looks, limits))
        advance()
    if len(alike) > 1:
        whole["alike"] = len(alike)
    return whole


def run_statement(
    cursor: Cursor,
    name: str,
    statement: Statement,
    meter: ImpactMeter | None = None,
    limits: StatementLimits | None = None,
) -> Timing:
    """Run one statement of the script of that name; otherwise as run_script()."""
    started = time.monotonic()
    try:
        cursor.execute(statement["sql"])
    except psycopg2.Error as error:
        if error.pgcode in LOCK_CODES:
            raise
        raise _failure(
            "statement_failed",
            f"{name} line {statement['line']}",
            error,
            script=name,
            line=statement["line"],
            statement=statement["sql"][:2000],
        ) from None
    timing: Timing = {
        "line": statement["line"],
        "kind": statement["kind"],
        "seconds": round(time.monotonic() - started, 6),
        "rows": cursor.rowcount if cursor.rowcount >= 0 else None,
    }
    lifted = limits.set_again(cursor) if limits is not None else []
    if lifted:
        timing["limits_lifted"] = lifted
    if meter is not None:
        meter.statement_done(timing)
    return timing


def deferred_done(
    cursor: Cursor, script: Runnable, timings: list[Timing], meter: ImpactMeter | None = None
) -> None:
    """Check and do what a script has left for COMMIT: nothing may come after the runbook has looked.

    Args:
        cursor, script, meter: as for run_script.
        timings: as run_script gave them; what it takes and does counts to the last of them.

    Raises:
        ScriptFailed: naming the script; lock errors go on as they are.
    """
    started = time.monotonic()
    try:
        fire_deferred(cursor)
    except psycopg2.Error as error:
        if error.pgcode in LOCK_CODES:
            raise
        raise _failure(
            "deferred_constraint_violated",
            f"{script['name']}: a constraint or trigger that is deferred to COMMIT fails",
            error,
            script=script["name"],
        ) from None
    if timings:
        timings[-1]["seconds"] = round(timings[-1]["seconds"] + time.monotonic() - started, 6)
        if meter is not None:
            meter.statement_done(timings[-1])


def _failure(code: str, where: str, error: psycopg2.Error, **details: object) -> ScriptFailed:
    diagnostic = getattr(error, "diag", None)
    message = one_line(error)
    extra = "".join(
        f" {label}: {' '.join(text.split())}"
        for label, text in (
            ("Detail", getattr(diagnostic, "message_detail", None)),
            ("Hint", getattr(diagnostic, "message_hint", None)),
        )
        if text
    )
    if error.pgcode == CANCELED:
        extra += (
            " (statement_timeout_seconds is the greatest time of one statement; or somebody cancelled it)"
        )
    return ScriptFailed(code, f"{where}: {message}{extra}", **details, sqlstate=error.pgcode, message=message)


def check_script(cursor: Cursor, script: Runnable, limits: StatementLimits | None = None) -> None:
    """Run a verify or smoke script: it fails by raising, or by a row whose first column is boolean false.

    Args:
        cursor, script, limits: as for run_script.

    Raises:
        ScriptFailed: naming file and line.
    """
    with cursor.connection.cursor() as own:
        # The role's DateStyle may be one that Python does not read, and a person reads the text.
        psycopg2.extensions.register_type(
            psycopg2.extensions.new_type(TYPES_OF_TIME, "AS_TEXT", lambda value, _: value), own
        )
        for statement in script["statements"]:
            run_script(own, {"name": script["name"], "statements": [statement]})
            for row in own if own.description is not None else ():
                if row and row[0] is False:
                    raise ScriptFailed(
                        "check_failed",
                        f"{script['name']} line {statement['line']}: the check returned false: {row[1:]!r}"
                        if len(row) > 1
                        else f"{script['name']} line {statement['line']}: the check returned false",
                        script=script["name"],
                        line=statement["line"],
                        statement=statement["sql"][:2000],
                    )
            if limits is not None:
                limits.set_again(own)


@contextmanager
def undone_afterwards(cursor: Cursor) -> Iterator[None]:
    """What is written inside leaves no trace in the caller's transaction, whether or not it fails."""
    cursor.execute("SAVEPOINT runbook_check")
    try:
        yield
    finally:
        # After a lost connection there is nothing left to undo.
        if not cursor.connection.closed:
            cursor.execute("ROLLBACK TO SAVEPOINT runbook_check")
            cursor.execute("RELEASE SAVEPOINT runbook_check")


def run_checks(cursor: Cursor, scripts: Iterable[Runnable]) -> None:
    """Run verify or smoke scripts, each undone afterwards, with constraints as the application finds them."""
    for script in scripts:
        with undone_afterwards(cursor):
            constraints_as_declared(cursor)
            with scripts_turn(cursor) as limits:
                check_script(cursor, script, limits)


def _run_whole(cursor: Cursor, script: Script, meter: ImpactMeter | None) -> list[Timing]:
    """Run a script in its own turn, with what it has left for COMMIT.

    Raises:
        ScriptFailed: it fails, hides the record of versions, or reads what another script has left.
    """
    refuse_settings_left(cursor, script)
    versions = VersionTable(cursor)
    before = versions.find()
    with scripts_turn(cursor) as limits:
        timings = run_script(cursor, script, meter, limits)
        deferred_done(cursor, script, timings, meter)
    refuse_hidden_versions(script, versions, before)
    return timings


def refuse_settings_left(cursor: Cursor, script: Script) -> None:
    """
    Raises:
        ScriptFailed: the script reads a setting that an earlier script of the session has set.
    """
    left = left_to(cursor, settings_read(one["sql"] for one in script["statements"]))
    if left:
        raise ScriptFailed(
            "setting_of_another_script",
            f"{script['name']} reads {listed(left, separator=', ')}, which an earlier script of the same session has"
            " set: PostgreSQL can only empty it, where the script found none when it was rehearsed by itself. Take the"
            f" migrations one at a time, or write nullif(current_setting('{left[0]}', true), '') in that script.",
            script=script["name"],
        )


def refuse_hidden_versions(script: Runnable, versions: VersionTable, before: FoundTable | None) -> None:
    """
    Raises:
        ScriptFailed: what the script has made stands in front of the table in which versions are recorded.
    """
    if before is not None and not versions.still_the_same(before):
        now = versions.name()
        raise ScriptFailed(
            "version_table_hidden",
            f"{script['name']}: versions are recorded in {before.schema}.{before.name}, and after this script the"
            f" role's search_path leads to {now or f'no {recorded_in()}'} instead, so that nothing would be known"
            " to be applied. Leave that table where it is, or move its rows along in the same script and drop it.",
            script=script["name"],
        )


def apply_migration(cursor: Cursor, migration: Migration, meter: ImpactMeter | None = None) -> list[Timing]:
    """Run the migration and record its version; returns the statements' timings."""
    timings = _run_whole(cursor, migration["apply"], meter)
    VersionTable(cursor).record(migration["version"], migration["description"])
    return timings


def script_of(migration: Migration, direction: str) -> Script:
    """The script that is run: "apply" or "rollback". That there is one is checked before a run begins."""
    script = migration["apply"] if direction == "apply" else migration["rollback"]
    return known(script, f"the script to {direction}")


def roll_back_migration(
    cursor: Cursor, migration: Migration, meter: ImpactMeter | None = None
) -> list[Timing]:
    """Run the rollback and take the version out; returns the statements' timings."""
    timings = _run_whole(cursor, script_of(migration, "rollback"), meter)
    VersionTable(cursor).forget(migration["version"])
    return timings
