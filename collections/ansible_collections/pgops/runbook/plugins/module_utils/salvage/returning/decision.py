# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The three-way merge of a row, column by column, as version control merges a file.

- base: what the migration makes of the row by itself;
- theirs: what users had made of it on the new schema, up to the rollback;
- now: what this deploy has made of it, as users have left it on the old schema.

Only where theirs differs from base is there anything to put back. Where now is base, theirs goes back; where now is
theirs, it is there already; where all three differ, now stands and theirs is held back. What cannot be told is held
back too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...postgres.connection import sql
from ...postgres.tables import ForeignKey, keys_to
from ...postgres.values import equal
from ...rows.changes import ADDED, CHANGED, DELETED
from ...shapes import Cursor, TableName
from ..defaults import defaults_of
from ..key import alike, field, fields
from .waiting import WaitingRows

__all__ = [
    "BASE_UNKNOWN",
    "BOTH_CHANGED",
    "KEPT",
    "MOVED",
    "NOW",
    "PREFERENCES",
    "ROW_DELETED",
    "TABLE_CHANGED",
    "VALUES_UNKNOWN",
    "decide",
    "hold_back_moved",
    "hold_back_referred",
]

ROW_CHANGED = "somebody changed its row since the rollback, or wants it to stay"
ROW_DELETED = "somebody deleted its row since the rollback"
ROW_NOT_FOUND = "somebody changed or deleted its row since the rollback"
ROW_MADE = "somebody made a row with its key since the rollback"
TABLE_CHANGED = "somebody changed the table since the rollback, and it has no key to tell rows apart"
BASE_UNKNOWN = "it is not known what the migration makes of it by itself"
MOVED = "it was moved from {}, where somebody changed or deleted it since the rollback"
STILL_REFERRED = "rows of {} refer to it"
#: What follows are the names of columns.
BOTH_CHANGED = "changed on both sides of the rollback: "
VALUES_UNKNOWN = "changed by users or by the migration, and nothing tells which: "

#: Who has the last word on what was changed on both sides: nobody, those who wrote before the rollback, or the others.
KEPT, NOW = "kept", "now"
PREFERENCES = ("", KEPT, NOW)


def decide(rows: WaitingRows, prefer: str = "") -> None:
    """Say of each row what is to be done with it, and why it stays where it does.

    Args:
        rows: with their places, and with references that mean what they meant.
        prefer: one of PREFERENCES.
    """
    _decide_on_lost(rows, prefer)
    _decide_on_defaults(rows)
    if not rows.has_key:
        _decide_without_key(rows, prefer)
        return
    changed = sql.SQL("k.kept IS NOT NULL AND (k.base IS NOT NULL OR k.columns IS NOT NULL)")
    added = sql.SQL("k.kept IS NOT NULL AND k.base IS NULL AND k.columns IS NULL")
    deleted = sql.SQL("k.kept IS NULL")
    any_gone, any_added, any_deleted = rows.any(
        sql.SQL("{} AND k.place IS NULL").format(changed), added, deleted
    )
    if any_gone:
        _decide_on_gone(rows, changed, prefer)
    _decide_on_columns(rows, changed, prefer)
    if any_added:
        _decide_on_added(rows, added, prefer)
    if any_deleted:
        _decide_on_deleted(rows, deleted, prefer)


def _decide_on_defaults(rows: WaitingRows) -> None:
    """Where the migration has another default now, that is base; what may be users' and was the first one counts."""
    now = defaults_of(rows.cursor, rows.table.oid, rows.defaults)
    for name, first in rows.defaults.items():
        if name in now and now[name] != first:
            rows.run(
                "UPDATE {work} k SET basis.{column} = (k.now).{column}, columns = CASE"
                " WHEN k.written_since AND {theirs} = {first} THEN array_append(k.columns, {name}) ELSE k.columns END"
                " WHERE k.reason IS NULL AND k.place IS NOT NULL AND {basis} = {first} AND {found} = {new}",
                name=sql.Literal(name),
                column=sql.Identifier(name),
                theirs=fields("k.theirs", [name]),
                basis=fields("k.basis", [name]),
                found=fields("k.now", [name]),
                first=sql.Literal(first),
                new=sql.Literal(now[name]),
            )
            # One that is not found, or whose key another row has, may have got another key.
            rows.run(
                "UPDATE {work} k SET columns = array_append(k.columns, {name}) WHERE k.written_since"
                " AND (k.place IS NULL OR k.reason IS NOT NULL) AND {theirs} = {first} AND {basis} = {first}",
                name=sql.Literal(name),
                theirs=fields("k.theirs", [name]),
                basis=fields("k.basis", [name]),
                first=sql.Literal(first),
            )


def _decide_on_lost(rows: WaitingRows, prefer: str) -> None:
    """Values of columns that the table does not have any more have nowhere to go."""
    if rows.lost and prefer != NOW:
        values = sql.SQL(" OR ").join(
            sql.SQL("(k.theirs).{} IS NOT NULL").format(sql.Identifier(name)) for name in rows.lost
        )
        rows.hold_back(
            sql.SQL("k.columns && {}::text[] OR k.columns IS NULL AND k.kept IS NOT NULL AND ({})").format(
                sql.Literal(rows.lost), values
            ),
            f"the table no longer has column {', '.join(rows.lost)}",
        )


def _decide_on_gone(rows: WaitingRows, changed: sql.Composable, prefer: str) -> None:
    """Of a row that is gone nothing is missed that nobody wrote: see salvage.defaults."""
    unwritten = sql.Literal([*rows.volatile, *rows.numbers])
    rows.run(
        "UPDATE {work} k SET columns = '{{}}'"
        " WHERE k.reason IS NULL AND {changed} AND k.place IS NULL AND k.columns <> '{{}}'"
        " AND (k.columns <@ {serial}::text[]"
        " OR k.columns <@ {unwritten}::text[] AND k.written_since IS NOT TRUE)",
        serial=sql.Literal(rows.serial),
        changed=changed,
        unwritten=unwritten,
    )
    gone = sql.SQL("{} AND k.place IS NULL").format(changed)
    if prefer == KEPT:
        rows.run(
            "UPDATE {work} k SET kind = {added}, columns = NULL"
            " WHERE k.reason IS NULL AND {gone} AND k.columns <> '{{}}' AND {whole}",
            added=sql.Literal(ADDED),
            gone=gone,
            whole=sql.Literal(set(rows.present) >= set(rows.table.columns)),
        )
        gone = sql.SQL("{} AND k.kind IS NULL").format(gone)
    if prefer != NOW:
        rows.hold_back(gone, ROW_NOT_FOUND if rows.by_content else ROW_DELETED)


def _decide_on_columns(rows: WaitingRows, changed: sql.Composable, prefer: str) -> None:
    settable, conflicting = [], []
    for name in rows.columns:
        if name in rows.numbers:
            continue  # rows.numbers gives numbers back
        literal = sql.Literal(name)
        counts = sql.SQL("{} = ANY (k.columns)").format(literal)
        differs = sql.SQL("{} AND NOT {}").format(counts, alike("k.now", "k.theirs", [name], rows.plain))
        unchanged = alike("k.now", "k.basis", [name], rows.plain)
        free: sql.Composable = sql.SQL("k.base IS NOT NULL AND {}").format(unchanged)
        if name in rows.volatile or prefer == KEPT:
            free = sql.SQL("true")
        if name in rows.lost or name in rows.unsettable or prefer == NOW:
            free = sql.SQL("false")
        settable.append(sql.SQL("CASE WHEN {} AND {} THEN {} END").format(differs, free, literal))
        if prefer != NOW:
            conflicting.append(
                sql.SQL("CASE WHEN {} AND NOT coalesce({}, false) THEN {} END").format(differs, free, literal)
            )
    # OFFSET 0 keeps what is compared from being compared once for each time that it is named.
    rows.run(
        "UPDATE {work} k SET (columns, conflict, kind) = ("
        "SELECT settable, conflicting, CASE WHEN settable <> '{{}}' THEN {kind} END"
        " FROM (SELECT {settable} AS settable, {conflicting} AS conflicting OFFSET 0) AS decided)"
        " WHERE k.reason IS NULL AND {changed} AND k.place IS NOT NULL AND k.columns <> '{{}}' AND {open}",
        open=sql.SQL("true" if prefer == NOW else "k.kind IS NULL"),
        settable=_names(settable),
        conflicting=_names(conflicting),
        kind=sql.Literal(CHANGED),
        changed=changed,
    )


def _names(cases: Sequence[sql.Composable]) -> sql.Composable:
    return sql.SQL("array_remove(ARRAY[{}]::text[], NULL)").format(sql.SQL(", ").join(cases))


def _decide_on_added(rows: WaitingRows, added: sql.Composable, prefer: str) -> None:
    """A row that is there with its key is the same, or another one that was made meanwhile.

    The same row gets back what is another one each time: people know it by the first.
    """
    if not rows.base_known and prefer != KEPT:
        rows.hold_back(sql.SQL("{} AND k.place IS NULL").format(added), BASE_UNKNOWN)
    rows.run(
        "UPDATE {work} k SET kind = {kind} WHERE k.reason IS NULL AND {added} AND k.place IS NULL",
        kind=sql.Literal(ADDED),
        added=added,
    )
    compared = [name for name in rows.columns if name not in {*rows.assigned, *rows.volatile}]
    there = sql.SQL("{} AND k.place IS NOT NULL").format(added)
    if compared and prefer == KEPT:
        _set_columns(rows, [name for name in rows.present if name not in rows.key.columns], there)
    elif compared and prefer != NOW:
        other = sql.SQL("{} AND NOT {}").format(there, alike("k.now", "k.theirs", compared, rows.plain))
        rows.hold_back(other, ROW_MADE if rows.base_known else BASE_UNKNOWN)
        changing = [name for name in rows.volatile if name in rows.present]
        if changing:
            _set_columns(rows, changing, there)


def _set_columns(rows: WaitingRows, names: Sequence[str], there: sql.Composable) -> None:
    rows.run(
        "UPDATE {work} k SET kind = {kind}, columns = {names}::text[] WHERE k.reason IS NULL AND {there}",
        kind=sql.Literal(CHANGED),
        names=sql.Literal(names),
        there=there,
    )


def _decide_on_deleted(rows: WaitingRows, deleted: sql.Composable, prefer: str) -> None:
    """What users had deleted goes again, unless somebody has changed it on the other side."""
    compared = [name for name in rows.present if name not in {*rows.numbers, *rows.volatile, *rows.generated}]
    there = sql.SQL("{} AND k.place IS NOT NULL").format(deleted)
    if compared and prefer == "":
        rows.hold_back(
            sql.SQL("{} AND NOT {}").format(there, alike("k.now", "k.basis", compared, rows.plain)),
            ROW_CHANGED,
        )
    if prefer != NOW:
        rows.run(
            "UPDATE {work} k SET kind = {kind} WHERE k.reason IS NULL AND {there}",
            kind=sql.Literal(DELETED),
            there=there,
        )


def _decide_without_key(rows: WaitingRows, prefer: str) -> None:
    """Rows that are told apart by nothing but what is in them.

    What users changed is a row deleted and another one added: the first must all be there as they were, or all stays.
    """
    whole = sql.SQL(
        "(k.kept IS NULL OR k.base IS NULL)"
        " AND EXISTS (SELECT FROM {} gone WHERE gone.kept IS NULL AND gone.place IS NULL)"
    ).format(rows.work)
    changed = sql.SQL("k.kept IS NOT NULL AND k.base IS NOT NULL")
    if not rows.base_known and prefer != KEPT:
        rows.hold_back(sql.SQL("true"), BASE_UNKNOWN)
    elif prefer == "":
        rows.hold_back(whole, TABLE_CHANGED)
        rows.hold_back(sql.SQL("{} AND k.place IS NULL").format(changed), TABLE_CHANGED)
    _decide_on_columns(rows, changed, prefer)
    if prefer != NOW:
        rows.run(
            "UPDATE {work} k SET kind = CASE WHEN k.kept IS NULL THEN {deleted} ELSE {added} END"
            " WHERE k.reason IS NULL"
            " AND (k.kept IS NULL AND k.place IS NOT NULL OR k.base IS NULL AND k.place IS NULL)",
            deleted=sql.Literal(DELETED),
            added=sql.Literal(ADDED),
        )


def hold_back_moved(rows: WaitingRows, others: Iterable[WaitingRows]) -> None:
    """Hold back rows that users had moved from one table to another, unless they go from the first as they were there.

    Args:
        rows: of the table that they had moved them to.
        others: of the tables that they may have taken them from.
    """
    for other in others:
        common = [name for name in rows.present if name in other.present]
        if other is rows or not rows.has_key or not set(rows.key.columns) <= set(common):
            continue
        stays = sql.SQL("other.kept IS NULL AND (other.place IS NULL OR other.reason IS NOT NULL)")
        rows.hold_back(
            sql.SQL("k.kind = {} AND EXISTS (SELECT FROM {} other WHERE {} AND {} = {})").format(
                sql.Literal(ADDED),
                other.work,
                stays,
                fields("k.theirs", common),
                fields("other.basis", common),
            ),
            MOVED.format(".".join(other.name)),
        )


def hold_back_referred(cursor: Cursor, rows: WaitingRows) -> None:
    """Hold back the deletion of rows to which others refer: their foreign keys would take these with them.

    To be called when children that are to be deleted are so.
    """
    own = []
    for child, key in keys_to(cursor, rows.name):
        if child == rows.name:
            own.append(key)
        else:
            _hold_back_parents(rows, child, key)
    # A child that stays keeps its parent, which keeps its own in turn.
    while any([_hold_back_parents(rows, rows.name, key) for key in own]):
        pass


def _hold_back_parents(rows: WaitingRows, child: TableName, key: ForeignKey) -> bool:
    """Hold back the deletion of rows to which others of a table refer that do not go as well; whether any were."""
    told = not key.by_cast and set(key.referred) <= set(rows.present)
    going = sql.SQL(
        " AND NOT EXISTS (SELECT FROM {} other WHERE other.kind = {} AND other.reason IS NULL"
        " AND other.place = c.ctid AND other.partition = c.tableoid)"
    ).format(rows.work, sql.Literal(DELETED))
    return rows.hold_back(
        sql.SQL("k.kind = {} AND EXISTS (SELECT FROM {} c WHERE {}{})").format(
            sql.Literal(DELETED),
            sql.Identifier(*child),
            sql.SQL(" AND ").join(
                # Where only PostgreSQL can tell which row it is, any of them.
                equal(sql.Identifier("c", mine), field("k.now", theirs), key.own_type)
                if told
                else sql.SQL("{} IS NOT NULL").format(sql.Identifier("c", mine))
                for mine, theirs in zip(key.columns, key.referred)
            ),
            going if child == rows.name else sql.SQL(""),
        ),
        STILL_REFERRED.format(".".join(child)),
    )
