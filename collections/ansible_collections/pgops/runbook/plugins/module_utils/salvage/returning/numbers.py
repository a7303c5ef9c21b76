# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Numbers that a migration hands out: rows get back those that people know them by, and references follow.

What a kept row refers to is a thing, not a number. Where the thing has another number now, so has the reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...postgres.answers import one_row
from ...postgres.bisect import NotTaken, savepoint
from ...postgres.columns import columns_of
from ...postgres.connection import sql
from ...postgres.references import checked_at_the_end, foreign_keys
from ...postgres.tables import ForeignKey, keys_to, numbers_settable
from ...postgres.triggers import triggers_and_rules_off
from ...postgres.values import equal
from ...shapes import Cursor, TableName
from ..key import field, fields
from .waiting import WaitingRows

__all__ = [
    "PARENT_IS_ANOTHER",
    "follow_parents",
    "give_numbers_back",
    "hold_back_with_parents",
    "number_anew",
    "take_new_numbers",
]

PARENT_IS_ANOTHER = "its parent in {} is another row now"
PARENT_NOT_FOUND = "its parent in {} is gone, or nothing tells which row it is now"

# Types in which every number has a negative that is no number of a row.
WITH_NEGATIVES = ("int2", "int4", "int8", "numeric")

CANDIDATES = """
    CREATE TEMPORARY TABLE {moves} AS SELECT {old}, {new} FROM {work} k
    WHERE k.place IS NOT NULL AND k.reason IS NULL AND k.kept AND k.columns IS NOT NULL AND {theirs} <> {now}"""

# Rows that are going to be deleted make room: they get numbers that others leave, of which there are enough.
MAKING_ROOM = """
    INSERT INTO {moves} SELECT {leaves}, {left}
    FROM (SELECT k.now, row_number() OVER (ORDER BY k.number) AS turn FROM {work} k JOIN {moves} m ON {wanted}
          WHERE k.place IS NOT NULL AND k.reason IS NULL AND k.kept IS NULL AND k.base IS NOT NULL) AS going
    JOIN (SELECT m.*, row_number() OVER (ORDER BY {olds}) AS turn FROM {moves} m
          WHERE NOT EXISTS (SELECT FROM {moves} other WHERE {wanted_too})) AS leaving USING (turn)"""

# A number is free that no row has but such as get another one themselves.
IN_THE_WAY = """
    DELETE FROM {moves} m WHERE EXISTS (SELECT FROM {target} t WHERE {taken}
        AND NOT EXISTS (SELECT FROM {moves} other WHERE {leaving}))"""


def give_numbers_back(cursor: Cursor, rows: WaitingRows) -> bool:
    """Give rows the numbers back that they had before the rollback, where nothing is in the way.

    Returns:
        bool: whether any row has another number now, and places have to be found anew.
    """
    names = rows.numbers
    known = not set(names) & {*rows.unsettable, *rows.lost}
    if not names or not known or (rows.key.columns == names and not rows.numbered):
        return False
    if any(key.own_type for _, key in _following(cursor, rows)):
        return False  # what is between the types of both columns may be a cast of the application's
    moves = sql.Identifier("pg_temp", f"runbook_moves_{rows.item['item']}")
    rows.run(
        CANDIDATES,
        moves=moves,
        old=_named("k.now", names, "old"),
        new=_named("k.theirs", names, "new"),
        theirs=fields("k.theirs", names),
        now=fields("k.now", names),
    )
    _make_room(rows, moves)
    target = rows.table.identifier()
    parts = {
        "moves": moves,
        "target": target,
        "taken": _equal(rows, "t", names, "m", _prefixed(names, "new")),
        "leaving": _equal(rows, "t", names, "other", _prefixed(names, "old")),
    }
    deleted = 1
    while deleted:
        cursor.execute(sql.SQL(IN_THE_WAY).format(**parts))
        deleted = cursor.rowcount
    cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(moves))
    moved = one_row(cursor)[0] > 0
    if moved:
        try:
            with savepoint(cursor), numbers_settable(cursor, rows.table, rows.settable_numbers):
                _move(cursor, rows, moves)
        except NotTaken:  # the numbers that the rows have now are as good
            moved = False
    cursor.execute(sql.SQL("DROP TABLE {}").format(moves))
    return moved


def _make_room(rows: WaitingRows, moves: sql.Composable) -> None:
    names = rows.numbers
    olds, news = _prefixed(names, "old"), _prefixed(names, "new")
    rows.run(
        MAKING_ROOM,
        moves=moves,
        leaves=_named("going.now", names, "old"),
        left=sql.SQL(", ").join(sql.Identifier("leaving", name) for name in olds),
        olds=sql.SQL(", ").join(sql.Identifier("m", name) for name in olds),
        wanted=sql.SQL(" AND ").join(
            equal(sql.Identifier("m", new), field("k.now", name), name in rows.own_types)
            for new, name in zip(news, names)
        ),
        wanted_too=sql.SQL(" AND ").join(
            equal(sql.Identifier("other", new), sql.Identifier("m", old), name in rows.own_types)
            for new, old, name in zip(news, olds, names)
        ),
    )


def number_anew(rows: WaitingRows) -> None:
    """Give rows that have a name another number where theirs is given to another thing; references follow.

    Nothing is written yet: ``now`` of such a row is what it is going to be.
    """
    types = {one.name: one.type_name for one in columns_of(rows.cursor, rows.table.oid)}
    names = rows.assigned
    if len(names) != 1 or rows.key.columns == names or types.get(names[0]) not in WITH_NEGATIVES:
        return
    name = names[0]
    rows.run(
        "UPDATE {work} k SET anew = true, now = {value} FROM ("
        "SELECT number, (SELECT max(known) FROM (SELECT max({name}) AS known FROM {target} UNION ALL"
        " SELECT max((theirs).{name}) FROM {work}) AS numbers) + row_number() OVER (ORDER BY number) AS {name}"
        " FROM {work} mine WHERE kept IS NOT NULL AND base IS NULL AND columns IS NULL AND place IS NULL"
        " AND reason IS NULL AND EXISTS (SELECT FROM {target} t WHERE t.{name} = (mine.theirs).{name})) AS numbered"
        " WHERE numbered.number = k.number",
        value=_with_fields(rows, "theirs", {name: name}, "numbered"),
        name=sql.Identifier(name),
        target=rows.table.identifier(),
    )
    rows.numbered_anew = rows.cursor.rowcount > 0


def take_new_numbers(rows: WaitingRows) -> None:
    """Let rows be written with the numbers that number_anew() gave them."""
    if not rows.numbered_anew:
        return
    value = _with_fields(rows, "theirs", {name: name for name in rows.assigned}, "k.now")
    rows.run("UPDATE {work} k SET theirs = {value} WHERE anew", value=value)


def _move(cursor: Cursor, rows: WaitingRows, moves: sql.Composable) -> None:
    names = rows.numbers
    following = [
        (child, [dict(zip(key.referred, key.columns))[name] for name in names])
        for child, key in _following(cursor, rows)
    ]
    waiting = [one for one in foreign_keys(cursor) if one.parent == rows.name]
    types = {one.name: one.type_name for one in columns_of(cursor, rows.table.oid)}
    steps = [(_prefixed(names, "old"), _prefixed(names, "new"), "")]
    if len(names) == 1 and types[names[0]] in WITH_NEGATIVES:
        # Numbers that change places pass by where no number is.
        steps = [
            (_prefixed(names, "old"), _prefixed(names, "new"), "-"),
            (_prefixed(names, "new"),) * 2 + ("+",),
        ]
    with triggers_and_rules_off(cursor), checked_at_the_end(cursor, waiting):
        for old, new, sign in steps:
            to = sql.SQL("-" if sign == "-" else "")
            of = sql.SQL("-" if sign == "+" else "")
            for table, columns in [(rows.name, list(names)), *following]:
                cursor.execute(
                    sql.SQL("UPDATE {} t SET {} FROM {} m WHERE {}").format(
                        sql.Identifier(*table),
                        sql.SQL(", ").join(
                            sql.SQL("{} = {}m.{}").format(sql.Identifier(mine), to, sql.Identifier(theirs))
                            for mine, theirs in zip(columns, new)
                        ),
                        moves,
                        sql.SQL(" AND ").join(
                            equal(
                                sql.Identifier("t", mine),
                                sql.SQL("{}{}").format(of, sql.Identifier("m", theirs)),
                                name in rows.own_types,
                            )
                            for mine, theirs, name in zip(columns, old, names)
                        ),
                    )
                )


def _following(cursor: Cursor, rows: WaitingRows) -> list[tuple[TableName, ForeignKey]]:
    """The foreign keys that refer to the numbers of rows, with their tables."""
    return [
        (child, key) for child, key in keys_to(cursor, rows.name) if set(key.referred) == set(rows.numbers)
    ]


def _prefixed(names: Sequence[str], prefix: str) -> list[str]:
    return [f"{prefix} {name}" for name in names]


def _named(row: str, names: Sequence[str], prefix: str) -> sql.Composable:
    whole = sql.SQL(".").join(map(sql.Identifier, row.split(".")))
    return sql.SQL(", ").join(
        sql.SQL("({}).{} AS {}").format(whole, sql.Identifier(name), sql.Identifier(f"{prefix} {name}"))
        for name in names
    )


def _equal(
    rows: WaitingRows, one: str, names: Sequence[str], other: str, others: Sequence[str]
) -> sql.Composable:
    return sql.SQL(" AND ").join(
        equal(sql.Identifier(one, mine), sql.Identifier(other, theirs), mine in rows.own_types)
        for mine, theirs in zip(names, others)
    )


def follow_parents(rows: WaitingRows, parents: Mapping[TableName, WaitingRows]) -> None:
    """Let references mean what they meant: another number where the parent has one. To be called once for each parent.

    Args:
        rows: the children.
        parents: rows of tables that wait, with their places.
    """
    for key in rows.table.foreign_keys:
        parent = parents.get(key.parent)
        if parent is None or not set(key.columns) <= set(rows.present):
            continue
        if not set(key.referred) <= set(parent.present):
            continue
        for mine, record in (("theirs", "kept"), ("basis", "base")):
            same = sql.SQL("p.{} IS NOT NULL AND {} = {}").format(
                sql.Identifier(record), fields(f"k.{mine}", key.columns), fields(f"p.{mine}", key.referred)
            )
            if mine == "theirs":
                rows.run(
                    "UPDATE {work} k SET parent_rows = array_append(k.parent_rows, p.number) FROM {parents} p"
                    " WHERE (k.columns IS NULL OR k.columns && {columns}::text[]) AND {same}",
                    parents=parent.work,
                    columns=sql.Literal(key.columns),
                    same=same,
                )
            if parent.numbers:
                rows.run(
                    "UPDATE {work} k SET {mine} = {value}, undisturbed = false, kind = NULL FROM {parents} p"
                    " WHERE (p.place IS NOT NULL OR p.anew) AND {same} AND {now} <> {then}",
                    mine=sql.Identifier(mine),
                    value=_with_fields(
                        rows, mine, dict(zip(key.columns, key.referred)), as_text=key.own_type
                    ),
                    parents=parent.work,
                    same=same,
                    now=fields("p.now", key.referred),
                    then=fields(f"p.{mine}", key.referred),
                )


def hold_back_with_parents(rows: WaitingRows, others: Mapping[TableName, WaitingRows]) -> None:
    """Hold back rows whose parent is not recognised: its number may be another one's.

    Args:
        rows: the children, for which follow_parents() was called.
        others: rows of all tables that wait.
    """
    for name in dict.fromkeys(key.parent for key in rows.table.foreign_keys if key.parent in others):
        if others[name].numbers:
            rows.hold_back(
                sql.SQL(
                    "EXISTS (SELECT FROM {} p WHERE p.number = ANY (k.parent_rows) AND p.place IS NULL"
                    " AND p.base IS NOT NULL AND p.reason IS NULL AND p.kind IS NULL)"
                ).format(others[name].work),
                PARENT_NOT_FOUND.format(".".join(name)),
            )
        rows.hold_back(
            sql.SQL(
                "EXISTS (SELECT FROM {} p WHERE p.number = ANY (k.parent_rows) AND p.reason IS NOT NULL)"
            ).format(others[name].work),
            PARENT_IS_ANOTHER.format(".".join(name)),
        )


def _with_fields(
    rows: WaitingRows, mine: str, replaced: dict[str, str], source: str = "p.now", as_text: bool = False
) -> sql.Composable:
    """SQL: the value of a row with some fields those of another row: its parent now, by default.

    Args:
        as_text: whether it is written and read again, so that no cast is looked for between the types of fields.
    """
    of = sql.SQL("({})" if "." in source else "{}").format(
        sql.SQL(".").join(map(sql.Identifier, source.split(".")))
    )
    values = sql.SQL(", ").join(
        sql.SQL("{}.{}").format(of, sql.Identifier(replaced[name]))
        if name in replaced
        else sql.SQL("(k.{}).{}").format(sql.Identifier(mine), sql.Identifier(name))
        for name in rows.columns
    )
    return sql.SQL("ROW({})::text::{}" if as_text else "ROW({})::{}").format(values, rows.shape)
