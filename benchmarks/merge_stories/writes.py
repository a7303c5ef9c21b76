# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What users write, on the new schema as on the old one, and which values and cells are theirs."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from benchmarks.merge_stories.model import Column, State, Table, thing_of
from benchmarks.merge_stories.values import TEXT, needle

__all__ = ["Users"]

#: How often each of them is done.
WEIGHTS = {
    "update": 50,
    "insert": 25,
    "delete": 12,
    "be_a_stranger": 5,
    "swap_keys": 3,
    "copy": 3,
    "rewrite_key": 6,
}


@dataclass
class Users:
    """Those who write.

    Attributes:
        values: the text of every value that they ever wrote.
        cells: (thing, column) that they wrote themselves.
        told: their statements, as a person would type them.
        numbers_taken: inserts that failed because the next number of the key was taken.
    """

    connection: Connection
    chance: Random
    values: set[str] = field(default_factory=set)
    cells: set[tuple[str, str]] = field(default_factory=set)
    told: list[str] = field(default_factory=list)
    numbers_taken: list[str] = field(default_factory=list)
    pending: set[tuple[str, str]] = field(default_factory=set)

    def written(self, value: Any) -> bool:
        """Whether it is a value of theirs."""
        return needle(value) in self.values

    def fill(self, tables: tuple[Table, ...], rows: int) -> None:
        """The first rows of each table."""
        things: dict[str, list[str]] = {table.name: [] for table in tables}
        for table in tables:
            for _ in range(rows if table.grows else 0):
                self._try(lambda table=table: self._insert(table, things))
        self.connection.commit()

    def write(self, tables: tuple[Table, ...], state: State, statements: int) -> int:
        """Insert, update and delete at random, without COMMIT; how many statements had their way."""
        things = {table.name: [*state[table.name]] for table in tables}
        done = 0
        for _ in range(statements):
            table = self.chance.choice(tables)
            what = getattr(self, "_" + self.chance.choices([*WEIGHTS], [*WEIGHTS.values()])[0])
            done += self._try(lambda table=table, what=what: what(table, things))
        return done

    def _try(self, write: Any) -> bool:
        with self.connection.cursor() as cursor:
            cursor.execute("SAVEPOINT one_write")
            told = len(self.told)
            self.pending.clear()
            try:
                done = bool(write())
                self.cells |= self.pending if done else set()
                # What is deferred would end all of them at COMMIT.
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
                return done
            except psycopg2.Error as error:  # a constraint of the table said no, as it does to users
                if isinstance(error, psycopg2.errors.UniqueViolation) and "Key (id)=" in str(error):
                    self.numbers_taken.append(f"{self.told[-1]} {str(error).strip()}")
                cursor.execute("ROLLBACK TO SAVEPOINT one_write")
                del self.told[told:]
                return False

    def _run(self, statement: str, values: list[Any]) -> bool:
        with self.connection.cursor() as cursor:
            self.told.append(cursor.mogrify(statement, values).decode() + ";")
            cursor.execute(statement, values)
            return cursor.rowcount > 0

    def _value(self, column: Column) -> Any:
        if column.choices:
            return self.chance.choice(column.choices)
        while True:
            value = column.kind.make(self.chance)
            if needle(value) not in self.values:
                self.values.add(needle(value))
                return value

    def _put(
        self, column: Column, things: dict[str, list[str]], thing: str, full: bool = False
    ) -> tuple[str, Any] | None:
        """SQL and value for a column; None when there is nothing to refer to."""
        if not column.required and not full and self.chance.random() < 0.15:
            self.pending.add((thing, column.name))
            return "%s", None
        if column.refers:
            table, key = column.refers
            if not things.get(table):
                return None
            parent = thing_of(self.chance.choice(things[table]))
            self.pending.add((thing, column.name))
            return f"(SELECT {key} FROM {table} WHERE mark = %s LIMIT 1)", parent
        self.pending.add((thing, column.name))
        return column.kind.put, self._value(column)

    def _insert(self, table: Table, things: dict[str, list[str]], key: dict[str, Any] | None = None) -> bool:
        if not table.grows:
            return False
        thing = TEXT.make(self.chance)
        self.values.add(thing)
        names, puts, values = [], [], []
        for column in table.columns:
            if column.name == "mark":
                put: tuple[str, Any] | None = ("%s", thing)
            elif key and column.name in key:
                put = column.kind.put, key[column.name]
            elif not column.users or (not column.required and not key and self.chance.random() < 0.2):
                continue
            else:
                put = self._put(column, things, thing, full=bool(key))
            if put is None and column.required:
                return False  # there is nothing to refer to
            if put is not None:
                names.append(column.name)
                puts.append(put[0])
                values.append(put[1])
        done = self._run(f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join(puts)})", values)
        things[table.name].append(thing)
        return done

    def _some(self, table: Table, things: dict[str, list[str]]) -> str | None:
        return thing_of(self.chance.choice(things[table.name])) if things[table.name] else None

    def _update(self, table: Table, things: dict[str, list[str]]) -> bool:
        thing = self._some(table, things)
        columns = [one for one in table.columns if one.users and one.changes and one.name != "mark"]
        # Keys are changed too, but not often.
        columns = [one for one in columns if one.name not in table.key or self.chance.random() < 0.15]
        if thing is None or not columns:
            return False
        some = self.chance.sample(columns, min(len(columns), self.chance.choice((1, 1, 2))))
        puts = [(column.name, self._put(column, things, thing)) for column in some]
        sets = [(name, put) for name, put in puts if put is not None]
        if not sets:
            return False
        text = ", ".join(f"{name} = {put[0]}" for name, put in sets)
        return self._run(
            f"UPDATE {table.name} SET {text} WHERE mark = %s", [*(put[1] for _, put in sets), thing]
        )

    def _delete(self, table: Table, things: dict[str, list[str]]) -> bool:
        thing = self._some(table, things)
        return thing is not None and self._run(f"DELETE FROM {table.name} WHERE mark = %s", [thing])

    def _be_a_stranger(self, table: Table, things: dict[str, list[str]]) -> bool:
        """A row goes, and another thing gets its key."""
        thing = self._some(table, things)
        keys = [table.column(name) for name in table.key]
        if thing is None or not keys or not all(one.users and not one.refers for one in keys):
            return False
        with self.connection.cursor() as cursor:
            cursor.execute(f"SELECT {', '.join(table.key)} FROM {table.name} WHERE mark = %s", [thing])
            line = cursor.fetchone()
        if line is None:
            return False
        key = {one.name: one.kind.read(value) for one, value in zip(keys, line, strict=True)}
        return self._delete_this(table, thing) and self._insert(table, things, key)

    def _delete_this(self, table: Table, thing: str) -> bool:
        return self._run(f"DELETE FROM {table.name} WHERE mark = %s", [thing])

    def _swap_keys(self, table: Table, things: dict[str, list[str]]) -> bool:
        """Two rows exchange their keys."""
        keys = [table.column(name) for name in table.key]
        if len(things[table.name]) < 2 or len(keys) != 1 or not keys[0].users or keys[0].refers:
            return False
        name, put = keys[0].name, keys[0].kind.put
        one, other = (thing_of(thing) for thing in self.chance.sample(things[table.name], 2))
        values = []
        for thing in (one, other):
            with self.connection.cursor() as cursor:
                cursor.execute(f"SELECT {name} FROM {table.name} WHERE mark = %s", [thing])
                line = cursor.fetchone()
            if line is None or line[0] is None:
                return False
            values.append(keys[0].kind.read(line[0]))
        change = f"UPDATE {table.name} SET {name} = {put} WHERE mark = %s"
        steps = ((keys[0].kind.make(self.chance), one), (values[0], other), (values[1], one))
        return all([self._run(change, [value, thing]) for value, thing in steps])

    def _copy(self, table: Table, things: dict[str, list[str]]) -> bool:
        """A row that is there twice, where no key forbids it."""
        thing = self._some(table, things)
        if table.key or thing is None:
            return False
        with self.connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {table.name} WHERE mark = %s", [thing])
            if cursor.fetchone() != (1,):
                return False
        return self._run(f"INSERT INTO {table.name} SELECT * FROM {table.name} WHERE mark = %s", [thing])

    def _rewrite_key(self, table: Table, things: dict[str, list[str]]) -> bool:
        """The same key, written in another way."""
        thing = self._some(table, things)
        ways = {"numeric": "{0} * 1.00", "citext": "upper({0}::text)"}
        for name in table.key:
            kind = table.column(name).kind.sql
            if thing is not None and kind in ways:
                change = f"UPDATE {table.name} SET {name} = {ways[kind].format(name)} WHERE mark = %s"
                return self._run(change, [thing])
        return False
