# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Putting one item of the salvage back by hand, without a deploy."""

from __future__ import annotations

from ..catalog.application import read_schema
from ..digests import digest_of
from ..errors import Refused
from ..execution.script import LockPolicy
from ..ledger.versions import VersionTable
from ..postgres.connection import sql, transaction
from ..postgres.session import pin_session, restore_session
from ..postgres.tables import Table, table_facts
from ..preflight.drift import recorded_schema
from ..production.attempt import commit_or_find_out, in_production
from ..salvage.keeping.image import LeftTable, RowImage
from ..salvage.key import choose_key
from ..salvage.returning.returner import SalvageReturner
from ..salvage.store.items import DELETED, LABELS, PRIVILEGES, ROWS, SEQUENCE, UNTOUCHED, SalvageStore
from ..salvage.store.rows import try_again
from ..shapes import Cursor, Json
from ..step import Step
from .items import COMMAND, enter_run, find_item, refuse_beside_a_run

__all__ = ["check_put_back", "put_back"]

OVERWRITTEN = "it was overwritten by hand, by item {item}"


def check_put_back(cursor: Cursor, item: Json) -> None:
    """Refuse an item that has nowhere to go.

    Raises:
        Refused: saying what has to be done first.
    """
    applied = item["migration"] in VersionTable(cursor).applied()
    if item["kind"] in (UNTOUCHED, DELETED) and not applied:
        raise Refused(
            "salvage_item_waits_for_deploy",
            f"Item {item['item']} ({item['kind']}) can be used only by the next deploy of migration"
            f" {item['migration']}. Nothing was changed; the item stays until then.",
        )
    if item["kind"] == UNTOUCHED:
        raise Refused(
            "salvage_item_waits_for_deploy",
            f"Item {item['item']} ({item['kind']}) cannot be put back by hand: only a deploy of migration"
            f" {item['migration']} sees these rows as they were before it. Nothing was changed.",
        )
    if item["kind"] in (LABELS, SEQUENCE, PRIVILEGES):
        return
    table = table_facts(cursor, (item["schema"], item["table"]))
    name = f"{item['schema']}.{item['table']}"
    advice = (
        f"Deploy migration {item['migration']}, which makes it and puts the item back."
        if not applied
        else f"Export the item: {COMMAND} -e salvage_action=export -e salvage_item={item['item']}"
        " -e salvage_file=/path/to/file"
    )
    if table is None:
        raise Refused(
            "salvage_table_changed",
            f"Item {item['item']} belongs into table {name}, which is not there. Nothing was changed. {advice}",
        )
    lost = sorted((set(item["columns"]) | set(item["key_columns"])) - set(table.columns))
    if lost:
        raise Refused(
            "salvage_table_changed",
            f"Item {item['item']} belongs into table {name}, which has no column {', '.join(lost)}. Nothing was"
            f" changed. {advice}",
        )


def put_back(step: Step, number: int, policy: LockPolicy, overwrite: bool) -> Json:
    """Put one item back now, in one transaction.

    Rows that were held back are tried again. Where the table is no longer as the rollback left it, nobody can tell
    which rows were changed since: rows that are there now are changed or deleted only with ``overwrite``.

    Args:
        step: connected.
        number: of the item.
        policy: how long locks are waited for, and how often.
        overwrite: consent to change rows that are there now.

    Returns:
        item, migration, kind, table, returned, held_back, reasons, overwritten (rows), overwritten_kept_in
        (number of the item that has them, or None).

    Raises:
        Unchanged: when nothing of it can go back, with the reasons; nothing was changed.
        Refused: see find_item and check_put_back.
    """
    step.take_run_lock()
    with transaction(step.connection) as cursor:
        refuse_beside_a_run(step, cursor)
        item = find_item(cursor, number)[0]
        check_put_back(cursor, item)

    def attempt() -> Json:
        with step.connection.cursor() as cursor:
            policy.set_in(cursor)
            outputs = _put_back(step, cursor, item, overwrite)
            left = f", {outputs['held_back']} held back" if outputs["held_back"] else ""
            reason = f"put back {outputs['returned']} rows of item {number}{left}"
            receipt = enter_run(
                step, cursor, "salvage_restore", [item["migration"]], outputs, "salvage restored", reason
            )
        commit_or_find_out(step, receipt)
        return {key: value for key, value in outputs.items() if key != "catalog_after"}

    return in_production(step, attempt, policy, f"Item {number} was not put back, nothing was changed")


def _put_back(step: Step, cursor: Cursor, item: Json, overwrite: bool) -> Json:
    number = item["item"]
    try_again(cursor, number)
    waiting = SalvageStore(cursor).measure(number)[0]
    known_schema = None
    if item["kind"] in (LABELS, PRIVILEGES):
        before = digest_of(read_schema(cursor))
        known_schema = before if before == recorded_schema(step.ledger.receipts(cursor)) else None
    returner = SalvageReturner(cursor, step.run_id, item["migration"], only=number)
    if item["migration"] in VersionTable(cursor).applied():
        compared = False
        returner.choose()
    else:
        compared = _can_be_compared(cursor, item)
        returner.before()
    image = None
    if item["kind"] not in (LABELS, SEQUENCE, PRIVILEGES) and not compared:
        image = _take_image(cursor, item)
    (done,) = returner.after()
    overwritten, kept_in = _keep_overwritten(step, cursor, item, *image) if image else (0, None)
    returned = waiting - done["held_back"]
    if not returned:
        raise Refused(
            "salvage_rows_held_back",
            "not one row can go back: "
            + "; ".join(f"{rows} rows: {reason}" for reason, rows in sorted(done["reasons"].items())),
        )
    if overwritten and not overwrite:
        raise Refused(
            "salvage_would_overwrite",
            f"it would change or delete {overwritten} rows that are now in {done['table']}. To do it all the same, with"
            f" these rows kept as an item of their own: {COMMAND} -e salvage_action=restore"
            f" -e salvage_item={number} -e salvage_overwrite=true",
        )
    outputs = {
        "item": number,
        "migration": item["migration"],
        "kind": item["kind"],
        "table": done["table"],
        "returned": returned,
        "held_back": done["held_back"],
        "reasons": done["reasons"],
        "overwritten": overwritten,
        "overwritten_kept_in": kept_in,
    }
    if known_schema is not None:
        # Otherwise what was granted would count as drift. Drift that was there before remains drift.
        outputs["catalog_after"] = step.ledger.keep_catalog(cursor, read_schema(cursor))
    return outputs


def _can_be_compared(cursor: Cursor, item: Json) -> bool:
    """Whether SalvageReturner.before() can tell what was changed since the rollback."""
    if item["kind"] != ROWS:
        return False
    table = table_facts(cursor, item["facts"]["left_table"])
    return table is not None and set(item["facts"]["left_columns"]) <= set(table.columns)


def _take_image(cursor: Cursor, item: Json) -> tuple[Table, RowImage]:
    """The item's table and its rows as they are now; nobody else may write to it from here on.

    Raises:
        Refused: it was dropped since it was looked for.
    """
    table = table_facts(cursor, (item["schema"], item["table"]))
    if table is None:
        raise Refused(
            "salvage_table_changed",
            f"table {item['schema']}.{item['table']}, into which it belongs, has just been dropped.",
        )
    cursor.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(sql.Identifier(*table.name)))
    previous = pin_session(cursor, local=True)
    key = choose_key(cursor, table.oid, table.columns)
    image = RowImage(cursor, "overwritten", table.name, table.partitioned, table.columns, key)
    restore_session(cursor, previous, local=True)
    return table, image


def _keep_overwritten(
    step: Step, cursor: Cursor, item: Json, table: Table, image: RowImage
) -> tuple[int, int | None]:
    """Keep the rows that were there and no longer are, in an item that no deploy puts back by itself.

    Returns:
        (number of rows, number of the item or None).
    """
    previous = pin_session(cursor, local=True)
    left = LeftTable(table.name, table.partitioned, table.columns)
    gone, number = image.count_gone(left), None
    if gone:
        store = SalvageStore(cursor)
        number = store.begin_item(
            step.run_id,
            item["migration"],
            ROWS,
            table.name,
            table.columns,
            image.key.columns,
            image.facts(left),
        )
        image.keep_changed(number, left, only_changed_columns=True)
        store.hold_back(number, OVERWRITTEN.format(item=item["item"]))
        store.finish_item(number)
    image.drop()
    restore_session(cursor, previous, local=True)
    return gone, number
