# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Migrations after which rows are in another table: new, replaced, split, merged, parted, with seeds."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from benchmarks.merge_stories.model import Column, Migration, Record, State, Table, mark, ref, serial
from benchmarks.merge_stories.parts import ACTIONS, add, any_table, copy, drop, in_turn
from benchmarks.merge_stories.values import INT, MADE, TEXT, Ref

__all__ = ["KINDS"]


def new_table(chance: Random) -> Migration:
    """Tables of the migration's own, one of which refers to the other and to a table that was there."""
    action, other = chance.choice(ACTIONS), chance.choice(ACTIONS)
    while True:
        item = any_table(chance, "item", Column("body"))
        if len(item.key) == 1:
            break
    key = item.column(item.key[0])
    comment = Table(
        "comment", (serial(), mark(), Column("body"), ref("item", "item", key.name, key.kind, action))
    )
    answer = Table("answer", (serial(), mark(), Column("body"), ref("comment", "comment", sql=other)))
    return Migration(
        "new tables that refer to old ones",
        (item,),
        (item, comment, answer),
        item.sql,
        f"{comment.sql}\n{answer.sql}",
        "DROP TABLE answer; DROP TABLE comment;",
        lambda state: {**copy(state), "comment": {}, "answer": {}},
        lambda state: {"item": copy(state)["item"]},
    )


def seeded(chance: Random) -> Migration:
    """A new table with rows of its own, to which old rows and new ones refer."""
    return _seeded(chance, ("rock", "jazz", "folk"), "new tables with seeds")


def edited_seeds(chance: Random) -> Migration:
    """Likewise, and the next version brings them in another order, with one more."""
    kind = "other seeds in an edited migration"
    state = chance.getstate()
    first = _seeded(chance, ("rock", "jazz", "folk"), kind)
    chance.setstate(state)
    return replace(first, edited=_seeded(chance, ("soul", "folk", "rock", "jazz"), kind))


def _seeded(chance: Random, seeds: tuple[str, ...], kind: str) -> Migration:
    action = chance.choice(ACTIONS[:5])
    item = any_table(chance, "item", Column("body"))
    # Users rename seeds, but no mark says which is which but the mark.
    genre = Table(
        "genre",
        (serial(), mark(), Column("name", TEXT, "NOT NULL UNIQUE", required=True)),
        uniques=(("name",),),
    )
    tagged = item.with_columns(ref("genre", "genre", sql=action))
    tag = Table("tag", (serial(), mark(), Column("body"), ref("genre", "genre", sql=chance.choice(ACTIONS))))
    values = ", ".join(f"('{name}', 'seed {name}')" for name in seeds)

    def forward(state: State) -> State:
        rows: dict[str, Record] = {
            f"seed {one}": {"id": MADE, "mark": f"seed {one}", "name": one} for one in seeds
        }
        return {"item": add("item", "genre", lambda row: None)(state)["item"], "genre": rows, "tag": {}}

    return Migration(
        kind,
        (item,),
        (tagged, genre, tag),
        item.sql,
        f"{genre.sql}\nINSERT INTO genre (name, mark) VALUES {values};\n"
        f"ALTER TABLE item ADD COLUMN genre int REFERENCES genre (id) {action};\n{tag.sql}",
        "DROP TABLE tag; ALTER TABLE item DROP COLUMN genre; DROP TABLE genre;",
        forward,
        lambda state: {"item": drop("item", "genre")(state)["item"]},
    )


def rebuilt(chance: Random) -> Migration:
    """Copied into another table, which takes its name."""
    old = any_table(chance, "item", Column("body"), Column("amount", INT))
    new = old.with_columns(Column("note"))
    names = ", ".join(one.name for one in old.columns)
    always = any("ALWAYS" in one.sql for one in old.columns)

    def copied(table: Table) -> str:
        over = "OVERRIDING SYSTEM VALUE " if always else ""
        numbered = any("IDENTITY" in one.sql for one in table.columns)
        forth = "SELECT setval(pg_get_serial_sequence('item', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM item));"
        return (
            f"{table.sql.replace('CREATE TABLE item', 'CREATE TABLE item_new')}\n"
            f"INSERT INTO item_new ({names}) {over}SELECT {names} FROM item;\n"
            f"DROP TABLE item; ALTER TABLE item_new RENAME TO item;{' ' + forth if numbered else ''}"
        )

    return Migration(
        "rebuilt tables",
        (old,),
        (new,),
        old.sql,
        copied(new),
        copied(old),
        add("item", "note", lambda row: None),
        drop("item", "note"),
    )


def parted(chance: Random) -> Migration:
    """Rebuilt as a partitioned table."""
    id_column = Column("id", INT, required=True)
    old = Table("item", (id_column, mark(), Column("body")), more=("PRIMARY KEY (id)",))
    new = old.with_columns(Column("note"))
    half = 5 * 10**8
    return Migration(
        "tables replaced by partitioned ones",
        (old,),
        (new,),
        old.sql,
        "CREATE TABLE item_new (id int, mark text NOT NULL, body text, note text, PRIMARY KEY (id))\n"
        "    PARTITION BY RANGE (id);\n"
        f"CREATE TABLE item_low PARTITION OF item_new FOR VALUES FROM (MINVALUE) TO ({half});\n"
        f"CREATE TABLE item_high PARTITION OF item_new FOR VALUES FROM ({half}) TO (MAXVALUE);\n"
        "INSERT INTO item_new SELECT id, mark, body FROM item; DROP TABLE item; ALTER TABLE item_new RENAME TO item;",
        f"{old.sql.replace('TABLE item', 'TABLE item_old')}\n"
        "INSERT INTO item_old SELECT id, mark, body FROM item; DROP TABLE item; ALTER TABLE item_old RENAME TO item;\n"
        "ALTER INDEX item_old_pkey RENAME TO item_pkey;",
        add("item", "note", lambda row: None),
        drop("item", "note"),
    )


def partition(chance: Random) -> Migration:
    """A partition more, for rows that the old schema cannot hold."""

    def event(regions: tuple[str, ...]) -> Table:
        region = Column("region", TEXT, "NOT NULL", required=True, choices=regions)
        number = Column("number", INT, required=True)
        return Table("event", (number, region, mark(), Column("body")), ("region", "number"))

    def back(state: State) -> State:
        return {"event": {thing: dict(row) for thing, row in state["event"].items() if row["region"] != "c"}}

    return Migration(
        "new partitions",
        (event(("a", "b")),),
        (event(("a", "b", "c", "c")),),
        "CREATE TABLE event (number int, region text NOT NULL, mark text NOT NULL, body text,"
        " PRIMARY KEY (region, number)) PARTITION BY LIST (region);\n"
        "CREATE TABLE event_a PARTITION OF event FOR VALUES IN ('a');"
        " CREATE TABLE event_b PARTITION OF event FOR VALUES IN ('b');",
        "CREATE TABLE event_c PARTITION OF event FOR VALUES IN ('c');",
        "DROP TABLE event_c;",
        copy,
        back,
    )


def split(chance: Random) -> Migration:
    """Some columns move into a table of their own."""
    # A contact is the same thing after it went through the old schema: its mark goes along.
    along = Column("contact_mark", users=False)
    old = Table("person", (serial(), mark(), Column("name"), Column("email"), Column("phone"), along))
    person = old.with_columns(without=("email", "phone", "contact_mark"))
    owner = ref("person", "person", sql="ON DELETE CASCADE", required=True)
    contact = Table(
        "contact",
        (
            replace(owner, sql=owner.sql.replace("NOT NULL", "PRIMARY KEY")),
            mark(),
            Column("email"),
            Column("phone"),
        ),
        ("person",),
    )

    def forward(state: State) -> State:
        contacts: dict[str, Record] = {}
        for thing, row in state["person"].items():
            if row["email"] is not None or row["phone"] is not None:
                name = row["contact_mark"] or row["email"] or row["phone"]
                values = {"email": row["email"], "phone": row["phone"]}
                contacts[name] = {"person": Ref(thing), "mark": name, **values}
        return {
            "person": drop("person", "email", "phone", "contact_mark")(state)["person"],
            "contact": contacts,
        }

    def back(state: State) -> State:
        persons = copy(state)["person"]
        for row in persons.values():
            row["email"] = row["phone"] = row["contact_mark"] = None
        for one in state["contact"].values():
            values = {"email": one["email"], "phone": one["phone"], "contact_mark": one["mark"]}
            persons[one["person"].thing].update(values)
        return {"person": persons}

    return Migration(
        "split tables",
        (old,),
        (person, contact),
        old.sql,
        f"{contact.sql}\nINSERT INTO contact (person, mark, email, phone)\n"
        "    SELECT id, coalesce(contact_mark, email, phone), email, phone FROM person\n"
        "    WHERE email IS NOT NULL OR phone IS NOT NULL;\n"
        "ALTER TABLE person DROP COLUMN email; ALTER TABLE person DROP COLUMN phone;\n"
        "ALTER TABLE person DROP COLUMN contact_mark;",
        "ALTER TABLE person ADD COLUMN email text; ALTER TABLE person ADD COLUMN phone text;\n"
        "ALTER TABLE person ADD COLUMN contact_mark text;\n"
        "UPDATE person SET email = c.email, phone = c.phone, contact_mark = c.mark\n"
        "    FROM contact c WHERE c.person = person.id;\n"
        "DROP TABLE contact;",
        forward,
        back,
    )


def united(chance: Random) -> Migration:
    """Two tables become one, which also takes what neither of them did."""
    cat, dog = (Table(name, (serial(), mark(), Column("body"))) for name in ("cat", "dog"))
    sort = Column("sort", TEXT, "NOT NULL", required=True, choices=("cat", "dog", "bird"))
    pet = Table("pet", (serial(), mark(), Column("body"), sort, Column("note")))

    def forward(state: State) -> State:
        pets: dict[str, Record] = {}
        for name in ("cat", "dog"):
            for thing, row in state[name].items():
                pets[thing] = {"id": MADE, "mark": thing, "body": row["body"], "sort": name, "note": None}
        return {"pet": pets}

    def back(state: State) -> State:
        rows: State = {"cat": {}, "dog": {}}
        for thing, row in state["pet"].items():
            if row["sort"] in rows:
                rows[row["sort"]][thing] = {"id": MADE, "mark": thing, "body": row["body"]}
        return rows

    return Migration(
        "united tables",
        (cat, dog),
        (pet,),
        f"{cat.sql} {dog.sql}",
        f"{pet.sql}\nINSERT INTO pet (mark, body, sort) SELECT mark, body, 'cat' FROM cat ORDER BY id;\n"
        "INSERT INTO pet (mark, body, sort) SELECT mark, body, 'dog' FROM dog ORDER BY id;\n"
        "DROP TABLE cat; DROP TABLE dog;",
        f"{cat.sql} {dog.sql}\n"
        "INSERT INTO cat (mark, body) SELECT mark, body FROM pet WHERE sort = 'cat' ORDER BY id;\n"
        "INSERT INTO dog (mark, body) SELECT mark, body FROM pet WHERE sort = 'dog' ORDER BY id;\nDROP TABLE pet;",
        forward,
        back,
    )


def moved_column(chance: Random) -> Migration:
    """A column becomes a table of which a row can have many; the old schema can hold the first of them."""
    # A note is the same thing after it went through the old schema: its mark goes along.
    along = Column("note_mark", users=False)
    old = Table("doc", (serial(), mark(), Column("body"), Column("note"), along))
    doc = old.with_columns(without=("note", "note_mark"))
    owner = ref("doc", "doc", sql="ON DELETE CASCADE", required=True)
    note = Table("note", (serial(), mark(), owner, Column("text")))

    def forward(state: State) -> State:
        notes: dict[str, Record] = {}
        for thing, row in state["doc"].items():
            if row["note"] is not None:
                name = row["note_mark"] or row["note"]
                notes[name] = {"id": MADE, "mark": name, "doc": Ref(thing), "text": row["note"]}
        return {"doc": drop("doc", "note", "note_mark")(state)["doc"], "note": notes}

    def back(state: State) -> State:
        none = in_turn(*(add("doc", column, lambda row: None) for column in ("note", "note_mark")))
        docs = none(state)["doc"]
        for one in sorted(state["note"].values(), key=lambda row: -int(row["id"])):
            docs[one["doc"].thing].update(note=one["text"], note_mark=one["mark"])
        return {"doc": docs}

    return Migration(
        "columns moved into a table",
        (old,),
        (doc, note),
        old.sql,
        f"{note.sql}\nINSERT INTO note (mark, doc, text)\n"
        "    SELECT coalesce(note_mark, note), id, note FROM doc WHERE note IS NOT NULL ORDER BY id;\n"
        "ALTER TABLE doc DROP COLUMN note; ALTER TABLE doc DROP COLUMN note_mark;",
        "ALTER TABLE doc ADD COLUMN note text; ALTER TABLE doc ADD COLUMN note_mark text;\n"
        "UPDATE doc SET note = n.text, note_mark = n.mark\n"
        "    FROM (SELECT DISTINCT ON (doc) doc, text, mark FROM note ORDER BY doc, id) n WHERE n.doc = doc.id;\n"
        "DROP TABLE note;",
        forward,
        back,
    )


KINDS = (
    new_table,
    seeded,
    edited_seeds,
    rebuilt,
    parted,
    partition,
    split,
    united,
    moved_column,
)
