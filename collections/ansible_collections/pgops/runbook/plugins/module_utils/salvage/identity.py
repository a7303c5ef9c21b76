# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""By which columns the rows of a table that a migration makes or widens are recognised.

A number that the migration hands out (serial, identity, a generated uuid) is a poor name for a thing: applied again
it may hand out another one. Where such a row has a unique key besides, it is known by that.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from ..postgres.answers import one_row
from ..postgres.columns import Column, columns_of
from ..postgres.connection import sql
from ..postgres.keys import unique_keys
from ..postgres.values import text_of
from ..shapes import Cursor
from .key import Key

__all__ = [
    "NAMING",
    "ROWS_TO_NAME",
    "Identity",
    "all_different",
    "hands_out_numbers",
    "identity_of",
    "literal_default",
    "telling_columns",
    "varying",
]

# A default that gives the same value whenever it is asked for.
LITERAL = re.compile(
    r"""(?P<value>'(?:[^']|'')*'|-?\d+(?:\.\d+)?|\(-\d+(?:\.\d+)?\)|true|false|NULL)"""
    r"""(?:::(?P<type>[A-Za-z0-9_ ."]+)(?:\(\d+(?:,\d+)?\))?(?:\[\])*)?"""
)


# Rows of a table that are looked at to see in which columns its rows differ.
ROWS_TO_TELL = 10_000

# Types whose values tell things apart, and are not alike by chance.
NAMING = ("text", "varchar", "citext", "uuid")


class Identity(NamedTuple):
    """How the rows of one table are recognised.

    Attributes:
        key: by which; where it is not unique, equal ones are numbered.
        has_key: false where a row has no other name than all of its content.
        assigned: the key that the migration itself hands out to rows; empty where there is none.
        generated: of the table's columns those that it hands out values for, in whatever key or none.
        numbered: whether the key is a number that the table handed out before the migration: it may be handed out
            again, to another thing, and a row that the migration brings gets another one each time.
        names: columns of other unique keys, by which such a row may be known.
        computed: columns that have another value in each row that does not say otherwise.
        named_by_text: whether the key is a text that is another one in each of so many rows that it must be a name,
            though no index says so.
        by_content: whether nothing but its content tells what a row is, beside a number that the migration hands out.
    """

    key: Key
    has_key: bool
    assigned: list[str]
    generated: list[str]
    numbered: bool = False
    names: Sequence[list[str]] = ()
    computed: Sequence[str] = ()
    by_content: bool = False
    named_by_text: bool = False

    @property
    def numbers(self) -> list[str]:
        """Columns in which the same thing may get another number when it is made again."""
        return self.assigned or (self.key.columns if self.numbered else [])


def _is_computed(column: Column) -> bool:
    """Whether a row that does not say otherwise gets another value in it at another time."""
    if column.generated:
        return False
    return bool(column.identity) or (column.default is not None and not LITERAL.fullmatch(column.default))


def hands_out_numbers(column: Column) -> bool:
    """Whether a sequence gives a row that does not say otherwise its value: it says nothing of the row."""
    return bool(column.identity) or (column.default or "").startswith("nextval(")


def literal_default(column: Column) -> sql.Composable | None:
    """SQL: the value that a row gets which says nothing of this column; None where it is none, or not always the same.

    The text is the server's own (pg_get_expr), and only of the form of LITERAL.
    """
    literal = None if column.generated or column.default is None else LITERAL.fullmatch(column.default)
    if literal is None:
        return None
    # Of a type of the application's own it may be a text or a number, which a cast of theirs makes its value; their
    # types are written with their schema, and PostgreSQL's without.
    if column.own_type and "." not in (literal["type"] or ""):
        return None
    written = literal["value"] if column.own_type else literal[0]
    return sql.SQL("CAST({} AS {})").format(sql.SQL(written), sql.SQL(column.type))


# Words of a few kinds are all different in a few rows by chance.
ROWS_TO_NAME = 10


def all_different(cursor: Cursor, rows: sql.Composable, names: Sequence[str], at_least: int = 2) -> list[str]:
    """Of these columns the ones that are in every row, and in no two rows the same.

    Args:
        rows: SQL: a table, or a query in parentheses.
        at_least: how many rows there must be.
    """
    counts = [sql.SQL("count(DISTINCT {})").format(sql.Identifier(name)) for name in names]
    cursor.execute(
        sql.SQL("SELECT {} FROM {} AS seen").format(sql.SQL(", ").join([sql.SQL("count(*)"), *counts]), rows)
    )
    number, *distinct = one_row(cursor)
    return [name for name, found in zip(names, distinct) if found == number and number >= at_least]


def varying(
    cursor: Cursor, rows: sql.Composable, names: Sequence[str], own_types: Collection[str]
) -> list[str]:
    """Of these columns the ones that are not the same in all rows.

    Args:
        rows: as of all_different().
        own_types: those whose types the application has made.
    """
    counts = sql.SQL(", ").join(
        sql.SQL("count(DISTINCT {1}) + (count(*) > count({0}))::int > 1").format(
            sql.Identifier(name), text_of(sql.Identifier(name), name in own_types)
        )
        for name in names
    )
    cursor.execute(sql.SQL("SELECT {} FROM {} AS seen").format(counts, rows))
    return [name for name, varies in zip(names, one_row(cursor)) if varies]


def telling_columns(
    cursor: Cursor, table: sql.Composable, names: Sequence[str], own_types: Collection[str]
) -> list[str]:
    """Of these columns the ones in which most rows differ, so that a value tells which row it is of.

    Args:
        table: SQL: its name.
        own_types: columns whose types the application has made.
    """
    counts = sql.SQL(", ").join(
        sql.SQL("2 * count(DISTINCT {1}) > count({0})").format(
            sql.Identifier(name), text_of(sql.Identifier(name), name in own_types)
        )
        for name in names
    )
    cursor.execute(
        sql.SQL("SELECT {} FROM (SELECT {} FROM {} LIMIT {}) AS seen").format(
            counts, sql.SQL(", ").join(map(sql.Identifier, names)), table, sql.Literal(ROWS_TO_TELL)
        )
    )
    return [name for name, telling in zip(names, one_row(cursor)) if telling]


def identity_of(cursor: Cursor, oid: int, columns: list[str], made: Collection[str]) -> Identity:
    """The identity of the rows of a table.

    Args:
        oid: of the table.
        columns: names that are compared.
        made: of these the ones that the migration has made.
    """
    computed = [one.name for one in columns_of(cursor, oid) if one.name in columns and _is_computed(one)]
    generated = [name for name in computed if name in made]
    keys = [key for key in unique_keys(cursor, oid) if key.immediate and set(key.columns) <= set(columns)]
    natural = [key for key in keys if not set(key.columns) & set(generated)]
    handed_out = next((key.columns for key in keys if set(key.columns) & set(generated) and key.not_null), [])
    # One that may be NULL names a row of the migration's own numbering better than the number does.
    named = [key for key in natural if key.not_null] or (natural if handed_out else [])
    if named:
        key = Key(named[0].columns, named[0].not_null)
        others = [one.columns for one in natural if not set(one.columns) & set(computed)]
        return Identity(key, True, handed_out, generated, set(key.columns) <= set(computed), others, computed)
    # What the migration adds to a table that was there says nothing of which row it is.
    left_out = made if set(made) < set(columns) else generated
    content = [name for name in columns if name not in left_out]
    if not handed_out:
        return Identity(Key(content, False), False, [], generated, computed=computed)
    if not content:
        return Identity(Key(handed_out, True), True, handed_out, generated, computed=computed)
    return Identity(Key(content, False), True, handed_out, generated, computed=computed, by_content=True)
