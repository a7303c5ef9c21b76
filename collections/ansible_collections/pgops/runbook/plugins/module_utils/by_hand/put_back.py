# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Putting one item of the salvage back by hand, without a deploy."""

from __future__ import annotations

from ..catalog.application import read_schema
from ..digests import digest_of
from ..errors import Refused, known
from ..execution.script import LockPolicy
from ..ledger.versions import VersionTable
from ..postgres.connection import sql, transaction
from ..postgres.kept_names import kept_table
from ..postgres.references import foreign_keys
from ..postgres.session import pin_session, restore_session
from ..postgres.tables import table_facts
from ..preflight.drift import recorded_schema
from ..production.attempt import commit_or_find_out, in_production
from ..salvage.identity import identity_of
from ..salvage.keeping.base import Difference
from ..salvage.keeping.image import TableImage
from ..salvage.returning.decision import KEPT
from ..salvage.returning.returner import SalvageReturner
from ..salvage.store.items import LABELS, OF_TABLES, PRIVILEGES, ROWS, SalvageStore
from ..salvage.store.rows import enter_changed, try_again
from ..shapes import Cursor, Json
from ..step.step import Step
from .items import COMMAND, enter_run, find_item, refuse_beside_a_run

__all__ = ["check_put_back", "put_back"]

OVERWRITTEN = "it was overwritten by hand, by item {item}"


def check_put_back(cursor: Cursor, item: Json, prefer: str = "") -> None:
    """Refuse an item that has nowhere to go.

    Args:
        item: as find_item gives it.
        prefer: see put_back.

    Raises:
        Refused: saying what has to be done first.
    """
    applied = item["migration"] in VersionTable(cursor).applied()
    if item["kind"] == ROWS and not applied and prefer != KEPT:
        raise Refused(
            "salvage_item_waits_for_deploy",
            f"Item {item['item']} ({item['kind']}) goes back with the next deploy of migration {item['migration']},"
            " which makes the rows to compare it with. Nothing was changed. To put it back now, over what is there:"
            f" {COMMAND} -e salvage_action=put_back -e salvage_item={item['item']} -e salvage_prefer=kept",
        )
    if item["kind"] not in OF_TABLES:
        return
    table = kept_table(cursor, (item["schema"], item["table"]))
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


def put_back(step: Step, number: int, policy: LockPolicy, prefer: str) -> Json:
    """Put one item back now, in one transaction, with the items of the rows that its own refer to.

    Rows that were held back are tried again. What was changed on both sides of the rollback is settled by ``prefer``.

    Args:
        step: connected.
        number: of the item.
        policy: how long locks are waited for, and how often.
        prefer: one of salvage.returning.decision.PREFERENCES.

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
        check_put_back(cursor, item, prefer)

    def attempt() -> Json:
        with step.connection.cursor() as cursor:
            policy.set_in(cursor)
            outputs = _put_back(step, cursor, item, prefer)
            left = f", {outputs['held_back']} held back" if outputs["held_back"] else ""
            reason = f"put back {outputs['returned']} rows of item {number}{left}"
            receipt = enter_run(
                step, cursor, "salvage_restore", [item["migration"]], outputs, "salvage restored", reason
            )
        commit_or_find_out(step, receipt)
        return {key: value for key, value in outputs.items() if key != "catalog_after"}

    return in_production(step, attempt, policy, f"Item {number} was not put back, nothing was changed")


def _put_back(step: Step, cursor: Cursor, item: Json, prefer: str) -> Json:
    number = item["item"]
    parents = _parents(cursor, item)
    together = [number, *(one["item"] for one in parents)]
    try_again(cursor, together)
    waiting = SalvageStore(cursor).measure(number)[0]
    known_schema = None
    if item["kind"] in (LABELS, PRIVILEGES):
        before = digest_of(read_schema(cursor))
        known_schema = before if before == recorded_schema(step.ledger.receipts(cursor)) else None
    returner = SalvageReturner(cursor, step.run_id, item["migration"], only=together, prefer=prefer)
    returner.choose()
    images = _take_images(cursor, [item, *parents]) if prefer == KEPT else []
    done = {one["item"]: one for one in returner.after()}
    held_back, reasons = done[number]["held_back"], done[number]["reasons"]
    kept = [(one["item"], image.name, *_keep_overwritten(step, cursor, one, image)) for one, image in images]
    overwritten, kept_in = next(((rows, where) for of, _, rows, where in kept if of == number), (0, None))
    returned = waiting - held_back
    if not returned:
        again = f"{COMMAND} -e salvage_action=put_back -e salvage_item={number} -e salvage_prefer="
        raise Refused(
            "salvage_rows_held_back",
            "not one row can go back: "
            + "; ".join(f"{rows} rows: {reason}" for reason, rows in sorted(reasons.items()))
            + f". To let what was kept win (what it overwrites is kept in its place): {again}kept; to let what is there"
            f" now win (what was kept is forgotten): {again}now",
        )
    outputs = {
        "item": number,
        "migration": item["migration"],
        "kind": item["kind"],
        "table": done[number]["table"],
        "returned": returned,
        "held_back": held_back,
        "reasons": reasons,
        "overwritten": overwritten,
        "overwritten_kept_in": kept_in,
        # What users had made of rows of its parents has the last word too, where these come along.
        "overwritten_besides": [
            {"table": ".".join(name), "rows": rows, "item": where}
            for of, name, rows, where in kept
            if of != number and rows
        ],
    }
    if known_schema is not None:
        # Otherwise what was granted would count as drift. Drift that was there before remains drift.
        outputs["catalog_after"] = step.ledger.keep_catalog(cursor, read_schema(cursor))
    return outputs


def _parents(cursor: Cursor, item: Json) -> list[Json]:
    """Other items of the same rollback, of the tables that this one's rows refer to, and those in turn."""
    items = SalvageStore(cursor).open_items(item["migration"])
    references = foreign_keys(cursor)
    tables, found = {(item["schema"], item["table"])}, 0
    while found != len(tables):
        found = len(tables)
        tables |= {one.parent for one in references if one.child in tables}
    return [
        one
        for one in items
        if one["run_id"] == item["run_id"]
        and one["item"] != item["item"]
        and (one["schema"], one["table"]) in tables
    ]


def _take_images(cursor: Cursor, items: list[Json]) -> list[tuple[Json, TableImage]]:
    """An image for each table to which rows go back, with the first item of that table.

    Raises:
        Refused: see _take_image.
    """
    of_tables: dict[tuple[str, str], Json] = {}
    for item in items:
        if item["kind"] in OF_TABLES and (
            item is items[0] or kept_table(cursor, (item["schema"], item["table"]))
        ):
            of_tables.setdefault((item["schema"], item["table"]), item)
    return [(one, _take_image(cursor, one)) for one in of_tables.values()]


def _take_image(cursor: Cursor, item: Json) -> TableImage:
    """The rows of the item's table as they are now; nobody else may write to it from here on.

    Raises:
        Refused: it was dropped since it was looked for.
    """
    table = kept_table(cursor, (item["schema"], item["table"]))
    if table is None:
        raise Refused(
            "salvage_table_changed",
            f"table {item['schema']}.{item['table']}, into which it belongs, has just been dropped.",
        )
    cursor.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(sql.Identifier(*table.name)))
    previous = pin_session(cursor, local=True)
    identity = identity_of(cursor, table.oid, table.columns, ())
    label = f"overwritten_{item['item']}"
    image = TableImage(cursor, label, table.name, table.partitioned, table.columns, identity)
    restore_session(cursor, previous, local=True)
    return image


def _keep_overwritten(step: Step, cursor: Cursor, item: Json, image: TableImage) -> tuple[int, int | None]:
    """Keep the rows that were there and no longer are, in an item that no deploy puts back by itself.

    Returns:
        (number of rows, number of the item or None).
    """
    previous = pin_session(cursor, local=True)
    gone, number = image.count_gone(), None
    if gone:
        store = SalvageStore(cursor)
        key = image.identity.key
        facts = {"unique_key": key.unique, "has_key": image.identity.has_key}
        number = store.begin_item(
            step.run_id, item["migration"], ROWS, image.name, image.columns, key.columns, facts
        )
        table = known(table_facts(cursor, image.name), "the table that rows went back to")
        difference = Difference(cursor, image, table)
        difference.forget_equal()
        enter_changed(cursor, number, difference.work)
        store.hold_back(number, OVERWRITTEN.format(item=item["item"]))
        store.finish_item(number)
    image.drop()
    restore_session(cursor, previous, local=True)
    return gone, number
