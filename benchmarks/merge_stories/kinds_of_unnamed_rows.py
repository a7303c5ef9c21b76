# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Migrations that number rows which have no name, or whose key they take away.

The mark of such rows is of a type in which nobody looks for names: beside it there is nothing that is not the same in
several rows.
"""

from __future__ import annotations

from random import Random

from benchmarks.merge_stories.model import Column, Migration, Table, ref, serial
from benchmarks.merge_stories.parts import ACTIONS, add, copy, drop, in_turn
from benchmarks.merge_stories.values import INT, MADE, NAME, TEXT, UUID_KIND

__all__ = ["KINDS"]

UNNAMED = Column("mark", NAME, "NOT NULL", required=True, changes=False)
COLOURS, SIZES = ("red", "blue"), (1, 2, 3)
NUMBERS = (
    serial(),
    serial("id", "GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
    Column("id", UUID_KIND, "DEFAULT gen_random_uuid() PRIMARY KEY", users=False),
)


def _lines() -> Table:
    return Table(
        "line", (UNNAMED, Column("colour", TEXT, choices=COLOURS), Column("size", INT, choices=SIZES)), key=()
    )


def numbered_lines(chance: Random) -> Migration:
    """Rows without a key get a number and a note."""
    return _numbered("lines that get a number", _lines(), chance, "", "")


def number_for_two_columns(chance: Random) -> Migration:
    """A number takes the place of a key of two columns."""
    pair = tuple(Column(name, INT, "NOT NULL", required=True, choices=SIZES) for name in ("u", "m"))
    old = Table(
        "line",
        (*pair, UNNAMED, Column("body")),
        key=("u", "m"),
        more=("CONSTRAINT line_key PRIMARY KEY (u, m)",),
    )
    return _numbered(
        "a number for a key of two columns",
        old,
        chance,
        "ALTER TABLE line DROP CONSTRAINT line_key;",
        "ALTER TABLE line ADD CONSTRAINT line_key PRIMARY KEY (u, m);",
    )


def _numbered(kind: str, old: Table, chance: Random, first: str, last: str) -> Migration:
    number = chance.choice(NUMBERS)
    # The old key stays what users must not give twice: the rollback would fail.
    new = old.with_columns(number, Column("note"), key=("id",), uniques=(old.key,) if old.key else ())
    return Migration(
        kind,
        (old,),
        (new,),
        old.sql,
        f"{first} ALTER TABLE line ADD id {number.kind.sql} {number.sql}; ALTER TABLE line ADD note text;",
        f"ALTER TABLE line DROP id, DROP note; {last}",
        in_turn(add("line", "id", lambda row: MADE), add("line", "note", lambda row: None)),
        drop("line", "id", "note"),
    )


def children_of_lines(chance: Random) -> Migration:
    """Rows without a key get a number, and a new table refers to it."""
    number, old = chance.choice(NUMBERS), _lines()
    new = old.with_columns(number, key=("id",))
    child = Table(
        "child",
        (serial(), Column("mark", sql="NOT NULL", required=True, changes=False), Column("body"),
         ref("line", "line", "id", number.kind, chance.choice(ACTIONS))),
    )  # fmt: skip
    return Migration(
        "children of lines that get a number",
        (old,),
        (new, child),
        old.sql,
        f"ALTER TABLE line ADD id {number.kind.sql} {number.sql};\n{child.sql}",
        "DROP TABLE child; ALTER TABLE line DROP id;",
        lambda state: {**add("line", "id", lambda row: MADE)(state), "child": {}},
        lambda state: {"line": drop("line", "id")({"line": copy(state)["line"]})["line"]},
    )


KINDS = (numbered_lines, number_for_two_columns, children_of_lines)
