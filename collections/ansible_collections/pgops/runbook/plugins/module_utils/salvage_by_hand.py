# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a person does with the salvage: look at it, put an item back, purge. Each change is a run in the ledger."""

from __future__ import annotations

from ansible_collections.pgops.runbook.plugins.module_utils.connection import sql, transaction
from ansible_collections.pgops.runbook.plugins.module_utils.drift import recorded_schema
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.production_apply import (
    commit_or_find_out,
    in_production,
)
from ansible_collections.pgops.runbook.plugins.module_utils.receipts import digest_of
from ansible_collections.pgops.runbook.plugins.module_utils.salvage_key import record
from ansible_collections.pgops.runbook.plugins.module_utils.salvage_return import SalvageReturner
from ansible_collections.pgops.runbook.plugins.module_utils.salvage_store import (
    DELETED,
    PRIVILEGES,
    SEQUENCE,
    UNTOUCHED,
    SalvageStore,
)
from ansible_collections.pgops.runbook.plugins.module_utils.salvage_table import table_facts
from ansible_collections.pgops.runbook.plugins.module_utils.schema import read_schema
from ansible_collections.pgops.runbook.plugins.module_utils.session import pin_session, restore_session
from ansible_collections.pgops.runbook.plugins.module_utils.step import operator_name
from ansible_collections.pgops.runbook.plugins.module_utils.version_table import VersionTable

__all__ = ["check_put_back", "confirm_purge", "find_item", "purge", "put_back", "to_purge"]

COMMAND = "ansible-playbook playbooks/salvage.yml"


def find_item(cursor, number):
    """(item, its summary) of that number.

    Raises:
        Refused: when there is no salvage, no number was given, or none has it.
    """
    items = {item["item"]: item for item in _summary(cursor)}
    if number <= 0:
        raise Refused(f"Name the item: -e salvage_item=<number>; {COMMAND} lists them.")
    if number not in items:
        known = ", ".join(map(str, items)) or "none"
        raise Refused(f"There is no salvage item {number} (there are: {known}); {COMMAND} lists them.")
    return SalvageStore(cursor).item(number), items[number]


def _summary(cursor):
    store = SalvageStore(cursor)
    if not store.exists():
        raise Refused("There is no salvage in this database: no rollback has kept anything here.")
    return store.summary()


def _refuse_beside_a_run(step, cursor):
    run = step.ledger.unfinished_run(cursor)
    if run is not None:
        raise Refused(
            f"Run {run['run_id']} by {run['operator']} is in progress or was interrupted in this database: change its"
            " salvage when it has ended (playbooks/status.yml shows it). Nothing was changed."
        )


def _enter(step, cursor, name, migrations, outputs, outcome, reason):
    """Write a whole run into the ledger: one receipt, beginning and end."""
    run = step.params["run"]
    step.ledger.create(cursor)
    step.ledger.open_run(
        cursor, step.run_id, step.playbook, migrations, operator_name(run["operator"]), run["controller"]
    )
    receipt = step.ledger.append(
        cursor,
        step.run_id,
        name,
        "ok",
        step.started,
        step.identity,
        migration=migrations[0] if len(migrations) == 1 else None,
        outputs=outputs,
    )
    step.recorded.append(receipt)
    step.ledger.finish_run(cursor, step.run_id, outcome, reason)
    return receipt


# Putting back -------------------------------------------------------------------------------------------------


def check_put_back(cursor, item):
    """Refuse an item that has nowhere to go.

    Raises:
        Refused: saying what has to be done first.
    """
    applied = item["migration"] in VersionTable(cursor).applied()
    if item["kind"] in (UNTOUCHED, DELETED) and not applied:
        raise Refused(
            f"Item {item['item']} ({item['kind']}) has a meaning only for the next deploy of migration"
            f" {item['migration']}: it stays until then."
        )
    if item["kind"] == UNTOUCHED:
        raise Refused(
            f"Item {item['item']} ({item['kind']}) cannot be put back by hand: how these rows were is known only"
            f" before a deploy of migration {item['migration']}."
        )
    if item["kind"] in (SEQUENCE, PRIVILEGES):
        return
    table = table_facts(cursor, (item["schema"], item["table"]))
    name = f"{item['schema']}.{item['table']}"
    advice = (
        f"deploy migration {item['migration']}, which makes it and puts the item back."
        if not applied
        else f"export the item with {COMMAND} -e salvage_action=export -e salvage_item={item['item']}"
        " -e salvage_file=/path/to/file"
    )
    if table is None:
        raise Refused(f"Table {name} of item {item['item']} is not there: {advice}")
    lost = sorted((set(item["columns"]) | set(item["key_columns"])) - set(table.columns))
    if lost:
        raise Refused(f"Table {name} of item {item['item']} has no column {', '.join(lost)}: {advice}")


def put_back(step, number, policy, overwrite):
    """Put one item back now, in one transaction.

    Rows that were held back are tried again. Where the migration is in place, nobody can tell any more which rows
    were changed since the rollback: rows that are there now are changed or deleted only with ``overwrite``.

    Args:
        step: the Step.
        number: of the item.
        policy: LockPolicy.
        overwrite: consent to change rows that are there now.

    Returns:
        dict: item, migration, kind, table, returned, held_back, reasons, overwritten.

    Raises:
        Unchanged: when nothing of it can go back, with the reasons; nothing was changed.
        Refused: see find_item and check_put_back.
    """
    step.take_run_lock()
    with transaction(step.connection) as cursor:
        _refuse_beside_a_run(step, cursor)
        item = find_item(cursor, number)[0]
        check_put_back(cursor, item)

    def attempt():
        with step.connection.cursor() as cursor:
            policy.set_in(cursor)
            outputs = _put_back(step, cursor, item, overwrite)
            left = f", {outputs['held_back']} held back" if outputs["held_back"] else ""
            reason = f"put back {outputs['returned']} rows of item {number}{left}"
            receipt = _enter(
                step, cursor, "salvage_restore", [item["migration"]], outputs, "salvage restored", reason
            )
        commit_or_find_out(step, receipt)
        return {key: value for key, value in outputs.items() if key != "catalog_after"}

    return in_production(step, attempt, policy, f"Item {number} was not put back, nothing was changed")


def _put_back(step, cursor, item, overwrite):
    number = item["item"]
    cursor.execute("UPDATE runbook_salvage.kept_row SET held_back = NULL WHERE item = %s", (number,))
    waiting = SalvageStore(cursor).measure(number)[0]
    known_schema = None
    if item["kind"] == PRIVILEGES:
        before = digest_of(read_schema(cursor))
        known_schema = before if before == recorded_schema(step.ledger.receipts(cursor)) else None
    returner = SalvageReturner(cursor, step.run_id, item["migration"], only=number)
    applied = item["migration"] in VersionTable(cursor).applied()
    has_rows = item["kind"] not in (SEQUENCE, PRIVILEGES)
    if applied:
        returner.choose()
    else:
        returner.before()
    if applied and has_rows:
        _note_rows(cursor, item)
    (done,) = returner.after()
    overwritten = _rows_gone(cursor, item) if applied and has_rows else 0
    returned = waiting - done["held_back"]
    if not returned:
        raise Refused("; ".join(f"{rows} rows: {reason}" for reason, rows in sorted(done["reasons"].items())))
    if overwritten and not overwrite:
        raise Refused(
            f"{overwritten} rows that are now in {done['table']} would be changed or deleted by it. If that is"
            f" as it should be: {COMMAND} -e salvage_action=restore -e salvage_item={number}"
            " -e salvage_overwrite=true"
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
    }
    if known_schema is not None:
        # Or what was granted would be drift. Where there was drift before, it stays.
        outputs["catalog_after"] = step.ledger.keep_catalog(cursor, read_schema(cursor))
    return outputs


def _hashes(cursor, item):
    """SQL query: two 64-bit hashes of every row of the item's table, as the fingerprint of a table has them."""
    table = table_facts(cursor, (item["schema"], item["table"]))
    line = record(table.columns)
    return table, sql.SQL(
        'SELECT hashtextextended({line} COLLATE "C", 0) AS a,'
        ' hashtextextended({line} COLLATE "C", 7046029254386353131) AS b FROM {table}'
    ).format(line=line, table=table.identifier())


def _note_rows(cursor, item):
    table, hashes = _hashes(cursor, item)
    cursor.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(sql.Identifier(*table.name)))
    previous = pin_session(cursor, local=True)
    cursor.execute(sql.SQL("CREATE TEMPORARY TABLE runbook_present ON COMMIT DROP AS {}").format(hashes))
    restore_session(cursor, previous, local=True)


def _rows_gone(cursor, item):
    """How many rows that were there when they were noted are not any more."""
    previous = pin_session(cursor, local=True)
    cursor.execute(
        sql.SQL(
            "SELECT count(*) FROM (SELECT a, b FROM pg_temp.runbook_present EXCEPT ALL {}) AS gone"
        ).format(_hashes(cursor, item)[1])
    )
    gone = cursor.fetchone()[0]
    restore_session(cursor, previous, local=True)
    return gone


# Purging ------------------------------------------------------------------------------------------------------


def to_purge(cursor, number=0, older_than_days=-1, of_run=""):
    """The items that are meant, as SalvageStore.summary() gives them.

    Raises:
        Refused: when none or several of the three ways to name them were given, or a named item or run has none.
    """
    given = [number > 0, older_than_days >= 0, bool(of_run)]
    if sum(given) != 1:
        raise Refused(
            "Say what is to be purged, in one of three ways: -e salvage_item=<number>,"
            " -e salvage_older_than_days=<days> or -e salvage_of_run=<run_id>. Nothing was purged."
        )
    items = _summary(cursor)
    if number > 0:
        return [find_item(cursor, number)[1]]
    if of_run:
        return [item for item in items if item["run_id"] == of_run]
    return [item for item in items if item["age_days"] >= older_than_days]


def confirm_purge(items, confirmed, named):
    """Refuse to purge what was not named in its number of rows.

    Args:
        items: of to_purge().
        confirmed: the number that was typed, -1 for none.
        named: the options that select these items, as they are typed.

    Raises:
        Refused: naming what would go, and the command that lets it go.
    """
    rows = sum(item["rows"] for item in items)
    if confirmed == rows:
        return
    what = "; ".join(
        f"item {item['item']}: {item['rows']} rows of {item['table']} ({item['kind']}, migration"
        f" {item['migration']}, run {item['run_id']}, {item['age_days']} days old)"
        for item in items
    )
    wrong = f"salvage_confirm={confirmed} is not the number of rows that would go. " if confirmed >= 0 else ""
    raise Refused(
        f"{wrong}Nothing was purged. These {rows} rows would go and could not be put back any more: {what}."
        f" If that is as it should be: {COMMAND} -e salvage_action=purge {named} -e salvage_confirm={rows}",
        items=items,
        rows=rows,
    )


def purge(step, select, confirm):
    """Delete items, and write into the ledger what went.

    Args:
        step: the Step.
        select: function of a cursor that gives the items.
        confirm: function of the items that refuses what was not confirmed.

    Returns:
        list of dict: the items that went, each with its digest.
    """
    step.take_run_lock()
    with transaction(step.connection) as cursor:
        _refuse_beside_a_run(step, cursor)
        items = select(cursor)
        if not items:
            return []
        confirm(items)
        store = SalvageStore(cursor)
        gone = [{**item, "digest": store.measure(item["item"])[2]} for item in items]
        numbers = [item["item"] for item in items]
        cursor.execute("DELETE FROM runbook_salvage.manifest WHERE item = ANY (%s)", (numbers,))
        rows = sum(item["rows"] for item in items)
        migrations = sorted({item["migration"] for item in items})
        _enter(
            step,
            cursor,
            "salvage_purge",
            migrations,
            {"items": gone, "rows": rows},
            "salvage purged",
            f"purged {rows} rows of items {', '.join(map(str, numbers))}",
        )
    return gone
