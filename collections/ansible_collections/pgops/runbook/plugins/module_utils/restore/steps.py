# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the steps count_rows and swap do with the live database and the restored one beside it."""

from __future__ import annotations

import contextlib
import time

from ..catalog.application import read_schema
from ..errors import RunbookError, StepFailed, Unchanged
from ..ledger.aftermath import replaced_name
from ..ledger.journal import close_all_journals
from ..ledger.ledger import Ledger
from ..ledger.maintenance_mode import end_mode
from ..ledger.outcomes import REPLACED
from ..ledger.receipts import broken_link, outputs_in
from ..ledger.upgrade import release_of
from ..ledger.versions import VersionTable
from ..library.follow import changes_since
from ..postgres.connection import ServerUnreachable, connect, psycopg2, server_identity, transaction
from ..postgres.lock_waits import LockPolicy
from ..postgres.message import one_line
from ..postgres.replication import read_replication, refuse_enabled_subscriptions
from ..postgres.standbys import commit_without_standbys
from ..rows.carry_over import RowComparison, refresh_materialized_views, summary_of_left
from ..rows.difference import TableDifference
from ..rows.sequences import carry_sequences
from ..salvage.store.moving import bring_items
from ..shapes import Connection, Cursor, Json
from ..step.step import Step
from ..step.waiting import wait_not_long
from .properties import carry_settings, read_properties
from .swap import DatabaseSwap

__all__ = ["count_rows", "record_earlier_swap", "swap_databases", "swapped_by"]

CONNECT_SECONDS = 20


def swapped_by(step: Step) -> str | None:
    """The killed run that has swapped the databases for the same backup already, or None."""
    return step.outputs_of("preflight").get("swapped_by")


def record_earlier_swap(step: Step, run_id: str) -> Json:
    """What is true after the swap of a run that was killed before it could say so."""
    with transaction(step.connection) as cursor:
        restored = outputs_in(step.ledger.receipts(cursor, run_id), "restore")
        return {
            "swapped_by": run_id,
            "replaced": replaced_name(step.identity["database"], run_id),
            "receipts_in_backup": restored["receipts_in_backup"],
            "applied": sorted(VersionTable(cursor).applied()),
            "catalog_after": step.ledger.keep_catalog(cursor, read_schema(cursor)),
        }


def count_rows(step: Step) -> Json:
    """What the live database has more than the backup, in one snapshot, while the application goes on writing."""
    restored = step.outputs_of("restore")["restored"]
    new = connect(step.params["target"], restored)
    try:
        step.connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        with transaction(step.connection) as live_cursor, transaction(new) as new_cursor:
            comparison = RowComparison(live_cursor, new_cursor)
            return _counted(step, live_cursor, comparison, comparison.differences())
    finally:
        new.close()
        if not step.connection.closed:
            step.connection.rollback()
            step.connection.set_session(isolation_level="DEFAULT", readonly=False)


def _counted(
    step: Step, live_cursor: Cursor, comparison: RowComparison, differences: list[TableDifference]
) -> Json:
    """What RowComparison.report says, and paths_changed: column -> paths that files on disk have followed since."""
    position = step.outputs_of("restore")["receipts_in_backup"]
    return {**comparison.report(differences), "paths_changed": changes_since(live_cursor, position)}


def swap_databases(step: Step) -> Json:
    """Keep the application out, bring rows and ledger along, swap the names, let the application in.

    Returns:
        dict for the receipt: replaced, replaced_oid, database_oid, receipts_in_backup, applied (versions),
        catalog_after (digest of the schema), rows (see RowComparison.report), carried_over (bool), left (see
        summary_of_left), sequences (moved), salvage_items (brought along), refreshed (materialized views), not_carried,
        slots and subscriptions (of logical replication, which stay with the replaced database), held_off_seconds.

    Raises:
        Unchanged: nothing was swapped, and the application was let in again.
        StepFailed: swapped, and something after it failed.
    """
    target, prepared = step.params["target"], step.outputs_of("restore")
    policy = LockPolicy.from_params(step.params)
    with DatabaseSwap(
        target,
        step.run_id,
        prepared["source"]["run_id"],
        prepared["restored"],
        prepared["database_oid"],
        policy,
    ) as swap:
        try:
            with contextlib.closing(connect(target, prepared["restored"])) as new:
                _wait_at_most(policy, step.connection, new)
                with swap.watch(new) as watch:
                    outputs = _bring_along(step, swap, new)
                swap.standbys += watch.said_of_standbys()
        except (ServerUnreachable, StepFailed) as error:
            raise Unchanged(error.code, f"{error.reason} Nothing was swapped.") from None
        except psycopg2.errors.LockNotAvailable as error:
            who = "; ".join(watch.sentences()) or "nobody could be named, the session had already ended"
            raise Unchanged(
                "lock_not_available",
                f"A lock was not granted in time ({one_line(error)}), so nothing was swapped. It is held by: {who}."
                " Run again when that session has ended.",
            ) from None
        step.connection.close()
        outputs.update(swap.rename())
        outputs["held_off_seconds"] = swap.held_off_seconds()
    for sentence in swap.standbys:
        step.module.warn(sentence)
    outputs["database_oid"] = prepared["database_oid"]
    outputs["receipts_in_backup"] = prepared["receipts_in_backup"]
    outputs["restored_to"] = (prepared["source"].get("restore_to") or {}).get("name")
    _connect_to_restored(step, outputs)
    return outputs


def _wait_at_most(policy: LockPolicy, *connections: Connection) -> None:
    """No statement of theirs waits longer for a lock than all tries of the policy together; nothing tries it again."""
    seconds = policy.timeout_seconds * policy.attempts
    for connection in connections:
        with transaction(connection) as cursor:
            cursor.execute(
                "SELECT pg_catalog.set_config('lock_timeout', %s, false)", (f"{round(seconds * 1000)}ms",)
            )


def _bring_along(step: Step, swap: DatabaseSwap, new: Connection) -> Json:
    """Everything that the restored database has to have before it takes the name of the live one."""
    carried_over = step.params["carry_over"]
    with step.connection.cursor() as cursor:
        # A database that lets nobody in may let no parallel worker in either.
        cursor.execute("SET max_parallel_workers_per_gather = 0")
    step.connection.commit()
    with transaction(step.connection) as live_cursor, transaction(new) as new_cursor:
        sums = RowComparison(live_cursor, new_cursor).sums_of_restored()
    swap.hold_off([step.connection.info.backend_pid])
    with transaction(step.connection) as live_cursor, transaction(new) as new_cursor:
        comparison = RowComparison(live_cursor, new_cursor, known_sums=sums)
        differences = comparison.differences()
        refuse_enabled_subscriptions(live_cursor, swap.database)
        replication = read_replication(live_cursor)
        rows = _counted(step, live_cursor, comparison, differences)
        left = comparison.carry(differences) if carried_over else []
        sequences = carry_sequences(live_cursor, new_cursor)
    with transaction(new) as new_cursor:
        views = refresh_materialized_views(new_cursor) if carried_over and rows["tables"] else []
    with transaction(step.connection) as live_cursor, transaction(new) as new_cursor:
        known_broken = bool(step.outputs_of("preflight").get("broken_chain"))
        _bring_ledger(Ledger(), live_cursor, new_cursor, known_broken)
        salvage = bring_items(live_cursor, new_cursor)
    with transaction(new) as new_cursor:
        # The renaming does it once more; here so that the schema that is recorded is the one that there will be.
        carry_settings(new_cursor, read_properties(new_cursor, swap.database), swap.restored)
        return {
            "applied": sorted(VersionTable(new_cursor).applied()),
            "catalog_after": step.ledger.keep_catalog(new_cursor, read_schema(new_cursor)),
            "rows": rows,
            "carried_over": carried_over,
            "left": summary_of_left(left),
            "sequences": sequences,
            "salvage_items": salvage,
            "refreshed": views,
            **replication,
        }


def _bring_ledger(ledger: Ledger, live_cursor: Cursor, new_cursor: Cursor, known_broken: bool) -> None:
    """What runs have written since the live ledger was put into the restored database.

    Args:
        known_broken: whether the chain of receipts was broken before this restore began, which went on all the same.

    Raises:
        StepFailed: it did not come whole.
    """
    comparison = RowComparison(live_cursor, new_cursor, ledger=True)
    left = comparison.carry(comparison.differences())
    receipts = ledger.receipts(new_cursor)
    whole = (known_broken or broken_link(receipts) is None) and receipts == ledger.receipts(live_cursor)
    if left or not whole or release_of(new_cursor) != release_of(live_cursor):
        reason = f" ({left[0]['table']}: {left[0]['reason']})" if left else ""
        raise StepFailed(
            "ledger_not_carried_over",
            f"The ledger could not be carried over into the restored database{reason}. Run again.",
        )
    # Half done in the database that is replaced; in the restored one it is not begun.
    close_all_journals(new_cursor)


def _connect_to_restored(step: Step, outputs: Json) -> None:
    """The step's connection, and with it its receipt, move to the database that has the name now."""
    deadline = time.monotonic() + CONNECT_SECONDS
    while True:
        try:
            step.connection = connect(step.params["target"])
            break
        except ServerUnreachable as error:
            if time.monotonic() >= deadline:
                raise StepFailed(
                    "receipt_not_written_after_swap",
                    "The databases were swapped: production is the restored backup, and the replaced database is"
                    f" {outputs['replaced']}. Only the receipt could not be written: {error.reason} Do not restore"
                    " again; look: ansible-playbook playbooks/status.yml",
                ) from None
            time.sleep(0.25)
    with transaction(step.connection) as cursor:
        step.identity = server_identity(cursor)
    step.take_run_lock()
    _close_run_in_replaced(step, outputs["replaced"])


def _close_run_in_replaced(step: Step, replaced: str) -> None:
    """The ledger of the replaced database ends with this run; in the restored one it goes on."""
    try:
        connection = connect(step.params["target"], replaced)
    except ServerUnreachable as error:
        step.module.warn(f"The run could not be closed in the replaced database {replaced}: {error.reason}")
        return
    try:
        with transaction(connection) as cursor:
            commit_without_standbys(cursor)
            wait_not_long(cursor, local=False)
            step.ledger.finish_run(cursor, step.run_id, "restored", REPLACED)
        # In the one that has its place it goes on until the end of this run.
        end_mode(connection, step.run_id)
    except (psycopg2.Error, RunbookError) as error:
        # The swap is done, whatever the replaced database is like.
        step.module.warn(
            f"The replaced database {replaced} is as it was while the application was out of service: {one_line(error)}"
        )
    finally:
        connection.close()
