# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Migrations beside whose rows others change: by deferred triggers, by moves into a table that stays, in a cascade."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from benchmarks.merge_stories.kinds_of_columns import KINDS as OF_COLUMNS
from benchmarks.merge_stories.kinds_of_columns import PLAIN, adding
from benchmarks.merge_stories.kinds_of_keys import KINDS as OF_KEYS
from benchmarks.merge_stories.kinds_of_tables import KINDS as OF_TABLES
from benchmarks.merge_stories.model import Column, Migration, State, Table, mark, ref, serial
from benchmarks.merge_stories.parts import add, any_table, copy, drop, in_turn, lower
from benchmarks.merge_stories.values import BOOL, INT, TEXT, Ref

__all__ = ["KINDS"]

# What is left empty goes, when the transaction ends; in a database that had that rule before.
NO_EMPTY_LISTS = """
CREATE FUNCTION no_empty_list() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    DELETE FROM list WHERE id = OLD.list AND NOT EXISTS (SELECT FROM entry WHERE list = OLD.list); RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER no_empty_list AFTER DELETE OR UPDATE OF list ON entry DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION no_empty_list();"""
DERIVE = """
CREATE FUNCTION derive() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE item SET norm = lower(body) WHERE mark = NEW.mark AND norm IS DISTINCT FROM lower(body); RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER derive AFTER INSERT OR UPDATE ON item DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION derive();"""


def deferred_deletes(chance: Random) -> Migration:
    """The rollback deletes entries that the old schema cannot hold, and at COMMIT lists go after them."""
    lists = Table("list", (serial(), mark(), Column("body")))
    owner = ref("list", "list", sql="ON DELETE CASCADE", required=True)
    entry = Table("entry", (serial(), mark(), owner, Column("body")))
    hidden = Column("hidden", BOOL, "NOT NULL DEFAULT false", required=True, choices=(True, False))

    def back(state: State) -> State:
        entries = {thing: row for thing, row in state["entry"].items() if not row["hidden"]}
        had = {row["list"] for row in state["entry"].values()}
        has = {row["list"] for row in entries.values()}
        kept = {
            thing: row for thing, row in state["list"].items() if Ref(thing) in has or Ref(thing) not in had
        }
        return drop("entry", "hidden")({"list": kept, "entry": entries})

    return Migration(
        "deferred triggers that delete at COMMIT",
        (lists, entry),
        (lists, entry.with_columns(hidden)),
        f"{lists.sql} {entry.sql}{NO_EMPTY_LISTS}",
        "ALTER TABLE entry ADD COLUMN hidden bool NOT NULL DEFAULT false;",
        "CREATE TEMPORARY TABLE gone ON COMMIT DROP AS SELECT id FROM entry WHERE hidden;\n"
        "ALTER TABLE entry DROP COLUMN hidden; DELETE FROM entry WHERE id IN (SELECT id FROM gone);",
        add("entry", "hidden", lambda row: False),
        back,
    )


def deferred_updates(chance: Random) -> Migration:
    """A trigger of the migration derives a column at COMMIT."""
    old = any_table(chance, "item", Column("body"))
    new = old.with_columns(Column("norm", users=False), Column("note"))
    return Migration(
        "deferred triggers that update at COMMIT",
        (old,),
        (new,),
        old.sql,
        "ALTER TABLE item ADD COLUMN norm text; ALTER TABLE item ADD COLUMN note text;\n"
        f"UPDATE item SET norm = lower(body);{DERIVE}",
        "DROP TRIGGER derive ON item; DROP FUNCTION derive();\n"
        "ALTER TABLE item DROP COLUMN norm; ALTER TABLE item DROP COLUMN note;",
        in_turn(add("item", "norm", lambda row: lower(row["body"])), add("item", "note", lambda row: None)),
        drop("item", "norm", "note"),
    )


def moved_rows(chance: Random) -> Migration:
    """Some rows move into a new table; the rollback moves all rows of that into the table that stays."""
    state_column = Column("state", TEXT, "NOT NULL", required=True, choices=("open", "done"))
    columns = (Column("id", INT, "PRIMARY KEY", required=True), mark(), Column("body"), state_column)
    item, archive = Table("item", columns), Table("archive", (*columns, Column("note")))

    def forward(state: State) -> State:
        rows: State = {"item": {}, "archive": {}}
        for thing, row in state["item"].items():
            if row["state"] == "done":
                rows["archive"][thing] = {**row, "note": None}
            else:
                rows["item"][thing] = dict(row)
        return rows

    return Migration(
        "rows moved into a table that stays",
        (item,),
        (item, archive),
        item.sql,
        f"{archive.sql}\nINSERT INTO archive (id, mark, body, state)\n"
        "    SELECT id, mark, body, state FROM item WHERE state = 'done';\nDELETE FROM item WHERE state = 'done';",
        "INSERT INTO item SELECT id, mark, body, state FROM archive; DROP TABLE archive;",
        forward,
        lambda state: {"item": {**copy(state)["item"], **drop("archive", "note")(state)["archive"]}},
        one_place=(("item", "archive"),),
    )


def cascade(chance: Random) -> Migration:
    """Two migrations, the second on a table of the first; rolled back newest first and deployed in their order."""
    while True:
        first = chance.choice((*OF_COLUMNS, *OF_KEYS, *OF_TABLES, moved_rows))(chance)
        if first.edited is None:
            break
    table = chance.choice(first.new)
    remark = replace(PLAIN[0], column=replace(PLAIN[0].column, name="remark"))
    level = replace(PLAIN[4], column=replace(PLAIN[4].column, name="level"))
    one = adding("", table, chance.sample((remark, level), chance.randint(1, 2)))
    new = tuple(one.new[0] if other is table else other for other in first.new)
    second = replace(one, old=first.new, new=new)
    return replace(
        first,
        kind="two migrations in a cascade",
        new=new,
        apply=f"{first.apply}\n-- and the second:\n{second.apply}",
        rollback=f"{second.rollback}\n-- and the first:\n{first.rollback}",
        forward=in_turn(first.forward, second.forward),
        back=in_turn(second.back, first.back),
        parts=(first, second),
    )


KINDS = (deferred_deletes, deferred_updates, moved_rows, cascade, cascade)
