# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The merge rule, in a page: what a database must hold after deploy, rollback and deploy.

base    what the migration makes of the rows that its rollback left: nobody wrote it;
theirs  what users had made of it on the new schema, up to the rollback;
now     what the migration makes of the rows as users have left them on the old schema.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass, field
from typing import Any

from benchmarks.merge_stories.model import Record, State, Table, thing_of
from benchmarks.merge_stories.values import MADE, Ref

__all__ = ["Merged", "Place", "merge"]

#: (table, thing, column); no column: the row itself.
Place = tuple[str, str, str | None]
Same = Callable[[Any, Any], bool]
GONE = "deleted"


@dataclass
class Merged:
    """What there must be.

    Attributes:
        state: the rows.
        back: what of theirs must have come back by itself; of a row that users deleted, the value is None.
        conflicts: what of theirs must wait, because both sides changed it: now stands.
        obstructed: what of theirs has something in its way, or nobody can know where it belongs: it waits, or it is
            where it belongs all the same.
    """

    state: State = field(default_factory=dict)
    back: dict[Place, Any] = field(default_factory=dict)
    conflicts: dict[Place, Any] = field(default_factory=dict)
    obstructed: dict[Place, Any] = field(default_factory=dict)

    def forgive(self, first: State, now: State, cells: Container[tuple[str, str]]) -> None:
        """Where a migration was edited: what nobody wrote may be as the first version made it, or as the second does.

        What the first version never made nobody deleted.

        Args:
            first: what the first version makes of the rows that the rollback left.
            now: as the rule was given it.
            cells: (thing, column) that users wrote.
        """
        for place, value in list(self.back.items()):
            table, thing, column = place
            row = first[table].get(thing)
            if column is None and value is None and row is None:
                del self.back[place]
                self.state[table][thing] = dict(now[table][thing])
            elif column and row is not None and row[column] == value and (thing, column) not in cells:
                self.obstructed[place] = self.back.pop(place)
        for (table, thing, column), value in list(self.conflicts.items()):
            row = first[table].get(thing)
            if column is None and isinstance(value, dict) and row is not None:
                self.conflicts[table, thing, None] = {c: v for c, v in value.items() if row[c] != v}


def merge(
    base: State,
    theirs: State,
    now: State,
    tables: tuple[Table, ...],
    written: Callable[[Any], bool],
    doubtful: Container[str] = (),
    one_place: tuple[tuple[str, ...], ...] = (),
) -> Merged:
    """Merge by row and by column.

    Args:
        tables: of the new schema.
        written: whether a user wrote this value; of one that the database made up nobody did.
        doubtful: things that nobody can know again, because users gave them another key on the old schema.
        one_place: tables of which a thing is in one: where it moved, it moved, or nothing did.
    """

    def same(one: Any, other: Any) -> bool:
        if isinstance(one, dict) and isinstance(other, dict):
            return all(same(one[column], other[column]) for column in one)
        if one is not other and MADE in (one, other):
            return not written(other if one is MADE else one)
        return bool(one == other)

    merged = Merged()
    for table in tables:
        rows = merged.state[table.name] = {}
        for thing in {**base[table.name], **theirs[table.name], **now[table.name]}:
            was, users, fresh = (state[table.name].get(thing) for state in (base, theirs, now))
            row = _row(merged, (table.name, thing), was, users, fresh, same)
            if row is not None:
                rows[thing] = row
    for names in one_place:
        _leave_in_one_place(merged, theirs, now, names)
    _obstruct(merged, now, tables)
    for place, value in list(merged.back.items()):
        values = value.values() if isinstance(value, dict) else [value]
        things = {place[1], *(one.thing for one in values if isinstance(one, Ref))}
        if any(thing_of(thing) in doubtful for thing in things):
            merged.obstructed[place] = merged.back.pop(place)
    return merged


def _row(
    merged: Merged,
    row: tuple[str, str],
    was: Record | None,
    users: Record | None,
    fresh: Record | None,
    same: Same,
) -> Record | None:
    place = (*row, None)
    if users is not None and fresh is not None:
        return _columns(merged, row, was or {}, users, fresh, same)
    if users is None and was is None:
        return fresh and dict(fresh)  # inserted on the old schema
    if users is None:
        if fresh is None:
            return None  # deleted on both
        if same(was, fresh):
            merged.back[place] = None  # deleted on the new schema
            return None
        merged.conflicts[place] = None  # deleted there, changed here
        return dict(fresh)
    if was is None:
        merged.back[place] = users  # inserted on the new schema
        return dict(users)
    changed = {column: value for column, value in users.items() if not same(was[column], value)}
    if changed:
        merged.conflicts[place] = changed  # changed there, deleted here
    return None


def _columns(
    merged: Merged, row: tuple[str, str], was: Record, users: Record, fresh: Record, same: Same
) -> Record:
    result = dict(fresh)
    for column, value in fresh.items():
        base, theirs = was.get(column, GONE), users[column]
        if theirs in (base, value):
            continue
        # A composite value is one column: if somebody changed another part of it, it may wait as a whole.
        whole = [part for part in fresh if "." in column and part.split(".")[0] == column.split(".")[0]]
        if same(base, value) and not all(same(was.get(part, GONE), fresh[part]) for part in whole):
            merged.obstructed[(*row, column)] = theirs
        elif same(base, value):
            merged.back[(*row, column)] = result[column] = theirs
        else:
            merged.conflicts[(*row, column)] = theirs
    return result


def _leave_in_one_place(merged: Merged, theirs: State, now: State, names: tuple[str, ...]) -> None:
    """Where a thing may be one of two rows.

    Users had moved it, and others changed it where it was: it stays there, and theirs waits as a whole. Nobody moved
    it, and the migration does on its second deploy, since it became a row that it moves: either place is right.
    """
    first = names[0]  # the first is a table of the old schema too
    for thing in theirs[first]:
        places = [(name, thing, None) for name in names if (name, thing, None) in merged.back]
        if len(places) > 1:
            merged.obstructed.update({place: merged.back.pop(place) for place in places})
    for thing in {thing for name in names for thing in merged.state[name]}:
        places = [(name, thing, None) for name in names if thing in merged.state[name]]
        for place in places if len(places) > 1 else []:
            if thing not in now[place[0]]:
                merged.conflicts[place] = merged.back.pop(place)
                del merged.state[place[0]][thing]


def _obstruct(merged: Merged, now: State, tables: tuple[Table, ...]) -> None:
    """Hold back what has something in its way: its parent is gone, or another row has what is unique."""
    found = True
    while found:
        found = False
        for table in tables:
            for thing in [*_orphans(merged.state, table), *_rivals(merged, now, table)]:
                found |= _hold_back(merged, now, table, thing)


def _orphans(state: State, table: Table) -> list[str]:
    return [
        thing
        for thing, row in state[table.name].items()
        for column in table.columns
        if column.refers and isinstance(row[column.name], Ref)
        if row[column.name].thing not in state[column.refers[0]]
    ]


def _rivals(merged: Merged, now: State, table: Table) -> list[str]:
    rivals = []
    for columns in (table.key, *table.uniques):
        owners: dict[tuple[Any, ...], list[str]] = {}
        for thing, row in merged.state[table.name].items():
            owners.setdefault(tuple(row[column] for column in columns), []).append(thing)
        for values, things in owners.items():
            if (
                columns
                and len(things) > 1
                and not {None, MADE} & {v for v in values if v is None or v is MADE}
            ):
                rivals += things
    return rivals


def _hold_back(merged: Merged, now: State, table: Table, thing: str) -> bool:
    """Let now stand for this row; whether that changed anything."""
    places = [place for place in merged.back if place[:2] == (table.name, thing)]
    for place in places:
        merged.obstructed[place] = merged.back.pop(place)
    fresh = now[table.name].get(thing)
    if places and fresh is None:
        merged.state[table.name].pop(thing, None)
    elif places and fresh is not None:
        merged.state[table.name][thing] = dict(fresh)
    else:
        return _keep_parents(merged, now, table, thing)
    return True


def _keep_parents(merged: Merged, now: State, table: Table, thing: str) -> bool:
    """A row that stands refers to one that users deleted on the other side: that one stays."""
    kept = False
    for column in table.columns:
        value = merged.state[table.name].get(thing, {}).get(column.name)
        if column.refers and isinstance(value, Ref):
            place = (column.refers[0], value.thing, None)
            fresh = now[column.refers[0]].get(value.thing)
            if place in merged.back and fresh is not None:
                merged.obstructed[place] = merged.back.pop(place)
                merged.state[column.refers[0]][value.thing] = dict(fresh)
                kept = True
    return kept
