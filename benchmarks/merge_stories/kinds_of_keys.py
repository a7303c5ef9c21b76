# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Migrations after which a row has another key: of another type, wider, a number in the place of a name."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from benchmarks.merge_stories.kinds_of_columns import RETYPED, retyping
from benchmarks.merge_stories.model import Column, Migration, State, Table, mark, ref, serial
from benchmarks.merge_stories.parts import ACTIONS, FEW, add, copy, drop, in_turn, natural, table_with
from benchmarks.merge_stories.values import ANY_SCALE, CITEXT, INT, MADE, TEXT, UUID_KIND

__all__ = ["KINDS"]

NOTE = "ALTER TABLE {0} ADD COLUMN note text;"
NO_NOTE = "ALTER TABLE {0} DROP COLUMN note;"


def retyped_key(chance: Random) -> Migration:
    """The key of a table alone."""
    one = chance.choice(RETYPED)
    old = Table(
        "item", (Column("code", one.old, "PRIMARY KEY", required=True), mark(), Column("body")), ("code",)
    )
    note = chance.random() < 0.7
    new_code = Column("code", one.new, "PRIMARY KEY", required=True)
    new = Table("item", (new_code, mark(), Column("body"), *([Column("note")] if note else [])), ("code",))
    apply, rollback, forward, back = retyping("item", "code", one)
    if note:
        apply, rollback = f"{apply}\n{NOTE.format('item')}", f"{NO_NOTE.format('item')}\n{rollback}"
        forward, back = (
            in_turn(forward, add("item", "note", lambda row: None)),
            in_turn(drop("item", "note"), back),
        )
    return Migration("retyped keys", (old,), (new,), old.sql, apply, rollback, forward, back)


def retyped_key_with_children(chance: Random) -> Migration:
    """A key and the foreign keys that refer to it."""
    one = chance.choice(RETYPED)
    action = chance.choice(ACTIONS)
    parent = Table(
        "item", (Column("code", one.old, "PRIMARY KEY", required=True), mark(), Column("body")), ("code",)
    )
    child = Table("part", (serial(), mark(), Column("body"), ref("item", "item", "code", one.old, action)))
    new = (
        parent.with_columns(Column("code", one.new, required=True), Column("note"), without=("code",)),
        child.with_columns(Column("note")),
    )
    apply, rollback, forward, back = retyping("item", "code", one)
    child_apply, child_rollback, _, _ = retyping("part", "item", one)
    without = "ALTER TABLE part DROP CONSTRAINT part_item_fkey;"
    with_it = (
        f"ALTER TABLE part ADD CONSTRAINT part_item_fkey FOREIGN KEY (item) REFERENCES item (code) {action};"
    )
    return Migration(
        "retyped keys with children",
        (parent, child),
        new,
        f"{parent.sql} {child.sql}",
        "\n".join([without, apply, child_apply, with_it, NOTE.format("item"), NOTE.format("part")]),
        "\n".join(
            [NO_NOTE.format("part"), NO_NOTE.format("item"), without, child_rollback, rollback, with_it]
        ),
        in_turn(forward, *(add(name, "note", lambda row: None) for name in ("item", "part"))),
        in_turn(drop("item", "note"), drop("part", "note"), back),
    )


def widened_key(chance: Random) -> Migration:
    """The key gets a tenant; the old schema knows the first tenant only."""
    old = table_with("item", Column("body"), few=True)
    tenant = Column("tenant", INT, "NOT NULL DEFAULT 1", required=True, choices=(1, 2, 3))
    new = old.with_columns(tenant, Column("note"), key=("tenant", "code"))

    def back(state: State) -> State:
        rows = {thing: row for thing, row in state["item"].items() if row["tenant"] == 1}
        return drop("item", "tenant", "note")({"item": rows})

    return Migration(
        "widened keys",
        (old,),
        (new,),
        old.sql,
        "ALTER TABLE item ADD COLUMN tenant int NOT NULL DEFAULT 1; ALTER TABLE item ADD COLUMN note text;\n"
        "ALTER TABLE item DROP CONSTRAINT item_pkey; ALTER TABLE item ADD PRIMARY KEY (tenant, code);",
        "DELETE FROM item WHERE tenant <> 1;\n"
        "ALTER TABLE item DROP COLUMN tenant; ALTER TABLE item DROP COLUMN note;\n"
        "ALTER TABLE item ADD PRIMARY KEY (code);",
        in_turn(add("item", "tenant", lambda row: 1), add("item", "note", lambda row: None)),
        back,
    )


def numbered(chance: Random) -> Migration:
    """A name was the key; now a number is, and children refer to that."""
    few = chance.random() < 0.5
    on_delete = chance.choice(
        ("ON DELETE CASCADE", "ON DELETE SET NULL", "", "DEFERRABLE INITIALLY DEFERRED")
    )
    old_action = f"ON UPDATE CASCADE {on_delete}".strip()
    name = Column("name", TEXT, "NOT NULL PRIMARY KEY", required=True, choices=FEW if few else ())
    old_author = Table("author", (name, mark(), Column("born")), ("name",))
    old_book = Table(
        "book", (serial(), mark(), Column("title"), ref("author", "author", "name", TEXT, old_action))
    )
    author = old_author.with_columns(serial(), Column("note"), key=("id",), uniques=(("name",),))
    book = old_book.with_columns(ref("author_id", "author", sql=on_delete), without=("author",))
    return Migration(
        "a number in the place of a natural key",
        (old_author, old_book),
        (author, book),
        f"{old_author.sql} {old_book.sql}",
        "ALTER TABLE author ADD COLUMN id int GENERATED BY DEFAULT AS IDENTITY;\n"
        "ALTER TABLE author ADD COLUMN note text;\n"
        "ALTER TABLE book ADD COLUMN author_id int;\n"
        "UPDATE book SET author_id = a.id FROM author a WHERE a.name = book.author;\n"
        "ALTER TABLE book DROP COLUMN author; ALTER TABLE author DROP CONSTRAINT author_pkey;\n"
        "ALTER TABLE author ADD PRIMARY KEY (id); ALTER TABLE author ADD CONSTRAINT author_name UNIQUE (name);\n"
        f"ALTER TABLE book ADD FOREIGN KEY (author_id) REFERENCES author (id) {on_delete};",
        "ALTER TABLE book ADD COLUMN author text;\n"
        "UPDATE book SET author = a.name FROM author a WHERE a.id = book.author_id;\n"
        "ALTER TABLE book DROP COLUMN author_id; ALTER TABLE author DROP COLUMN id;\n"
        "ALTER TABLE author DROP COLUMN note; ALTER TABLE author DROP CONSTRAINT author_name;\n"
        "ALTER TABLE author ADD PRIMARY KEY (name);\n"
        f"ALTER TABLE book ADD FOREIGN KEY (author) REFERENCES author (name) {old_action};",
        in_turn(
            add("author", "id", lambda row: MADE),
            add("author", "note", lambda row: None),
            add("book", "author_id", lambda row: row.pop("author")),
        ),
        in_turn(drop("author", "id", "note"), add("book", "author", lambda row: row.pop("author_id"))),
    )


def uuids(chance: Random) -> Migration:
    """Numbers were keys; now uuids are, and the rollback numbers all rows anew."""
    action = chance.choice(("ON DELETE CASCADE", "ON DELETE SET NULL", ""))
    old_item = Table("item", (serial(), mark(), Column("body")))
    old_part = Table("part", (serial(), mark(), Column("body"), ref("item_id", "item", sql=action)))
    uid = Column("uid", UUID_KIND, "NOT NULL DEFAULT gen_random_uuid()", required=True, users=False)
    item = old_item.with_columns(uid, Column("note"), without=("id",), key=("uid",))
    part = old_part.with_columns(ref("item_uid", "item", "uid", UUID_KIND), without=("item_id",))
    return Migration(
        "uuids in the place of numbers",
        (old_item, old_part),
        (item, part),
        f"{old_item.sql} {old_part.sql}",
        "ALTER TABLE item ADD COLUMN uid uuid NOT NULL DEFAULT gen_random_uuid();\n"
        "ALTER TABLE item ADD COLUMN note text;\n"
        "ALTER TABLE part ADD COLUMN item_uid uuid;\n"
        "UPDATE part SET item_uid = i.uid FROM item i WHERE i.id = part.item_id;\n"
        "ALTER TABLE part DROP COLUMN item_id; ALTER TABLE item DROP COLUMN id;\n"
        "ALTER TABLE item ADD PRIMARY KEY (uid);\n"
        f"ALTER TABLE part ADD FOREIGN KEY (item_uid) REFERENCES item (uid) {action};",
        "ALTER TABLE item ADD COLUMN id int GENERATED BY DEFAULT AS IDENTITY;\n"
        "ALTER TABLE part ADD COLUMN item_id int;\n"
        "UPDATE part SET item_id = i.id FROM item i WHERE i.uid = part.item_uid;\n"
        "ALTER TABLE part DROP COLUMN item_uid; ALTER TABLE item DROP COLUMN uid; ALTER TABLE item DROP COLUMN note;\n"
        "ALTER TABLE item ADD PRIMARY KEY (id);\n"
        f"ALTER TABLE part ADD FOREIGN KEY (item_id) REFERENCES item (id) {action};",
        in_turn(
            drop("item", "id"),
            add("item", "uid", lambda row: MADE),
            add("item", "note", lambda row: None),
            add("part", "item_uid", lambda row: row.pop("item_id")),
        ),
        in_turn(
            drop("item", "uid", "note"),
            add("item", "id", lambda row: MADE),
            add("part", "item_id", lambda row: row.pop("item_uid")),
        ),
    )


def written_differently(chance: Random) -> Migration:
    """Users write the same key differently: another scale, other letters."""
    kind = chance.choice((ANY_SCALE, CITEXT))
    old = Table(
        "item", (Column("code", kind, "PRIMARY KEY", required=True), mark(), Column("body")), ("code",)
    )
    return Migration(
        "keys that are equal and written differently",
        (old,),
        (old.with_columns(Column("note")),),
        f"CREATE EXTENSION IF NOT EXISTS citext; {old.sql}",
        NOTE.format("item"),
        NO_NOTE.format("item"),
        add("item", "note", lambda row: None),
        drop("item", "note"),
    )


def key_of_its_own(chance: Random) -> Migration:
    """A table whose code was merely unique gets a primary key, which the rollback drops; children refer to the code."""
    action = chance.choice(ACTIONS)
    # Where a code may be NULL it is no key, though others refer to it.
    code = replace(natural(few=chance.random() < 0.3), sql=chance.choice(("NOT NULL UNIQUE", "UNIQUE")))
    old_item = Table("item", (code, mark(), Column("body")), ("code",))
    part = Table("part", (serial(), mark(), Column("body"), ref("item", "item", "code", TEXT, action)))
    item = old_item.with_columns(serial(), Column("note"), key=("id",), uniques=(("code",),))
    return Migration(
        "primary keys that the rollback drops",
        (old_item, part),
        (item, part),
        f"{old_item.sql} {part.sql}",
        "ALTER TABLE item ADD COLUMN id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY;\n"
        + NOTE.format("item"),
        "ALTER TABLE item DROP COLUMN id;\n" + NO_NOTE.format("item"),
        in_turn(add("item", "id", lambda row: MADE), add("item", "note", lambda row: None)),
        in_turn(drop("item", "id", "note"), copy),
    )


KINDS = (
    retyped_key,
    retyped_key_with_children,
    widened_key,
    numbered,
    uuids,
    key_of_its_own,
    written_differently,
)
