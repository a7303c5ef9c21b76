# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the kinds of migrations are put together from: keys of all kinds, foreign keys, changes of records."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Any

from benchmarks.merge_stories.model import Change, Column, Record, State, Table, mark, serial
from benchmarks.merge_stories.values import INT, NUMERIC, TEXT, TIMESTAMP, UUID_KIND

__all__ = [
    "ACTIONS",
    "add",
    "any_table",
    "copy",
    "drop",
    "in_turn",
    "lower",
    "natural",
    "rounded",
    "table_with",
]

#: What a foreign key does when its parent goes.
ACTIONS = (
    "ON DELETE CASCADE",
    "ON DELETE CASCADE ON UPDATE CASCADE",
    "ON DELETE SET NULL",
    "ON DELETE RESTRICT",
    "",
    "DEFERRABLE INITIALLY DEFERRED",
)
#: Codes of which there are so few that one comes back for another thing.
FEW = tuple(f"c{number}" for number in range(12))


def natural(name: str = "code", sql: str = "PRIMARY KEY", few: bool = False) -> Column:
    """A key that users choose."""
    return Column(name, TEXT, f"NOT NULL {sql}".strip(), required=True, choices=FEW if few else ())


def table_with(name: str, *columns: Column, few: bool = False) -> Table:
    """A table with a natural key."""
    return Table(name, (natural(few=few), mark(), *columns), key=("code",))


def any_table(chance: Random, name: str, *columns: Column) -> Table:
    """A table with a key of any kind, or with none."""
    kinds: tuple[tuple[tuple[Column, ...], tuple[str, ...], tuple[str, ...]], ...] = (
        ((serial(),), ("id",), ()),
        ((serial("id", "GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),), ("id",), ()),
        ((Column("id", INT, "PRIMARY KEY", required=True),), ("id",), ()),
        ((natural(),), ("code",), ()),
        ((natural(few=True),), ("code",), ()),
        ((natural(sql="UNIQUE"),), ("code",), ()),
        ((Column("uid", UUID_KIND, "PRIMARY KEY", required=True),), ("uid",), ()),
        ((Column("number", NUMERIC, "PRIMARY KEY", required=True),), ("number",), ()),
        ((Column("moment", TIMESTAMP, "PRIMARY KEY", required=True),), ("moment",), ()),
        (
            (natural("shop", "", few=True), natural("code", "", few=True)),
            ("shop", "code"),
            ("PRIMARY KEY (shop, code)",),
        ),
        ((), (), ()),
    )
    key_columns, key, more = chance.choice(kinds)
    return Table(name, (*key_columns, mark(), *columns), key=key, more=more)


# Changes of records ------------------------------------------------------------------------------------------


def copy(state: State) -> State:
    """A state of its own."""
    return {table: {thing: dict(row) for thing, row in rows.items()} for table, rows in state.items()}


def add(table: str, column: str, value: Callable[[Record], Any]) -> Change:
    """Give each row a column."""

    def change(state: State) -> State:
        state = copy(state)
        for row in state[table].values():
            row[column] = value(row)
        return state

    return change


def drop(table: str, *columns: str) -> Change:
    """Take columns away."""

    def change(state: State) -> State:
        state = copy(state)
        for row in state[table].values():
            for column in columns:
                del row[column]
        return state

    return change


def in_turn(*changes: Change) -> Change:
    """One after the other."""

    def change(state: State) -> State:
        for one in changes:
            state = one(state)
        return state

    return change


def lower(value: str | None) -> str | None:
    """As PostgreSQL's lower()."""
    return None if value is None else value.lower()


def rounded(value: Decimal | None, places: str = "0.01") -> Decimal | None:
    """As a numeric of fewer places."""
    return None if value is None else value.quantize(Decimal(places), ROUND_HALF_UP)
