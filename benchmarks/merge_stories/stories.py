# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""One story: deploy, users write, roll back, users write, deploy again; once, twice or three times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from benchmarks.merge_stories.judge import REFUSED, UNLIKE_THE_SCRIPT, Judge
from benchmarks.merge_stories.model import Migration, State, Table, read
from benchmarks.merge_stories.rule import Place, merge
from benchmarks.merge_stories.values import MADE
from benchmarks.merge_stories.writes import Users
from tests.integration.salvage.deployment import Deployment

__all__ = ["MakeMigration", "Outcome", "Story"]

MakeMigration = Callable[[Random], Migration]


class NotAStory(Exception):
    """What users wrote stops the migration itself, with or without a salvage."""


@dataclass
class Outcome:
    """How a story ended.

    Attributes:
        steps: what was done, as SQL that a person reads.
        stopped: why it is no story at all: the bare migration fails on what users wrote.
    """

    kind: str
    findings: list[tuple[str, str]] = field(default_factory=list)
    due: int = 0
    returned: int = 0
    not_back: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    cycles: int = 0
    writes: int = 0
    waited: int = 0
    stopped: str = ""


class Story:
    """A migration and its users.

    Args:
        connection: to a database in whose schema public nothing is.
        make: makes the migration.
        chance: of everything.
        deployment: what deploys and rolls back.
    """

    def __init__(
        self,
        connection: Connection,
        make: MakeMigration,
        chance: Random,
        deployment: type[Deployment] = Deployment,
    ) -> None:
        self.connection = connection
        self.chance = chance
        self.migration = make(chance)
        self.users = Users(connection, chance)
        self.outcome = Outcome(self.migration.kind)
        self.earlier: dict[Place, Any] = {}
        self.deployment = deployment(connection, self.migration.apply, self.migration.rollback)

    def tell(self) -> Outcome:
        """Let it happen."""
        try:
            self._tell()
        except NotAStory as stopped:
            self.outcome.stopped = str(stopped)
        return self.outcome

    def _tell(self) -> None:
        migration, chance = self.migration, self.chance
        self._step("before", migration.before)
        self.deployment.execute(migration.before)
        self.users.fill(migration.old, chance.randint(3, 6))
        old = self._read(migration.old)
        self._told()
        self._step("apply", migration.apply)
        if not self._guarded(self.deployment.rehearse, migration.apply):
            return
        if not self._guarded(self.deployment.deploy, migration.apply):
            return
        new = self._read(migration.new)
        self._compare("the first deploy", migration.forward(old), new)
        for _ in range(chance.choice((1, 1, 1, 2, 2, 3))):
            self.outcome.cycles += 1
            if not self._cycle(new) or self.outcome.findings:
                return
            new = self._read(self.migration.new)

    def _cycle(self, new: State) -> bool:
        """Writes on new, rollback, writes on old, deploy, verdict."""
        before = migration = self.migration
        self._write("on the new schema", migration.new, new, self.chance.randint(2, 9))
        theirs = self._read(migration.new)
        self._step("rollback", migration.rollback)
        if not self._guarded(self.deployment.roll_back, migration.rollback):
            return False
        left = self._read(migration.old)
        self._compare("the rollback", migration.back(theirs), left)
        quiet = self.chance.random() < 0.25
        self._write("on the old schema", migration.old, left, 0 if quiet else self.chance.randint(1, 6))
        old = self._read(migration.old)
        if migration.edited is not None:
            self._edit(migration.edited)
            migration = self.migration
            self._step("rehearse the edited migration", "")
            if not self._guarded(self.deployment.rehearse, migration.apply):
                return False
        self._step("apply again", migration.apply)
        items: list[dict[str, Any]] = []
        if not self._guarded(lambda: items.extend(self.deployment.deploy()), migration.apply):
            return False
        first = None if migration is before else before.forward(left)
        doubtful = _other_keys(migration.old, left, old)
        self._judge(migration.forward(left), theirs, migration.forward(old), doubtful, items, first)
        return True

    def _judge(
        self,
        base: State,
        theirs: State,
        now: State,
        doubtful: set[str],
        items: list[dict[str, Any]],
        first: State | None,
    ) -> None:
        tables, users = self.migration.new, self.users
        merged = merge(base, theirs, now, tables, users.written, doubtful)
        if first is not None:
            merged.forgive(first, users.cells)
        found = self._read(tables)
        waiting = sum(item["held_back"] for item in items)
        judge = Judge(
            tables,
            merged,
            theirs,
            now,
            found,
            *self._salvage(),
            waiting,
            users.written,
            users.cells,
            self.earlier,
        )
        verdict = judge.judge()
        self.outcome.findings += verdict.findings
        self.outcome.due += verdict.due
        self.outcome.returned += verdict.returned
        self.outcome.not_back += verdict.not_back
        self.outcome.waited += waiting
        for places in (merged.back, merged.obstructed, merged.conflicts):
            self.earlier.update({place: value for place, value in places.items() if value is not None})
        self.earlier = {p: v for p, v in self.earlier.items() if not _in_place(found, p, v)}
        held = [{k: item[k] for k in ("table", "kind", "returned", "held_back", "reasons")} for item in items]
        self._step("salvage", "\n".join(f"-- {one}" for one in held))
        self._step("expected", _as_text(merged.state, tables))
        self._step("found", _as_text(found, tables))

    def _edit(self, edited: Migration) -> None:
        self.migration = edited
        self.deployment.apply, self.deployment.rollback = edited.apply, edited.rollback

    # Small steps ---------------------------------------------------------------------------------------------

    def _write(self, where: str, tables: tuple[Table, ...], state: State, statements: int) -> None:
        self._step(where, "")
        self.outcome.writes += self.users.write(tables, state, statements)
        self._told()

    def _read(self, tables: tuple[Table, ...]) -> State:
        with self.connection.cursor() as cursor:
            state = read(cursor, tables)
        self.connection.commit()
        return state

    def _salvage(self) -> tuple[str, str]:
        """The text of what waits there, and of the rows whose deletion waits."""
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('runbook_salvage.kept_row') IS NOT NULL")
            rows: list[tuple[str, str]] = []
            if cursor.fetchone() == (True,):
                cursor.execute(
                    "SELECT coalesce(kept, ''), concat(kept, to_jsonb(k)->>'base') FROM runbook_salvage.kept_row k"
                )
                rows = cursor.fetchall()
            # What a rollback unlinked can be kept as an object of its own.
            cursor.execute("SELECT encode(lo_get(oid), 'escape') FROM pg_largeobject_metadata")
            objects = [line[0] for line in cursor.fetchall()]
        self.connection.commit()
        return " ".join([*(row[0] for row in rows), *objects]), " ".join(row[1] for row in rows)

    def _guarded(self, act: Callable[[], Any], bare: str) -> bool:
        """Do it; an error counts as one unless the bare script fails likewise."""
        try:
            act()
            return True
        except Exception as error:
            self.connection.rollback()
            with self.connection.cursor() as cursor:
                try:
                    cursor.execute(bare)
                    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                except type(error) as own:
                    raise NotAStory(str(own)) from error
                except psycopg2.Error:
                    pass  # another error than the one that there is to explain
                finally:
                    self.connection.rollback()
            sentence = f"{type(error).__name__}: {str(error).strip()}"
            self.outcome.findings.append((REFUSED, sentence))
            return False

    def _compare(self, step: str, expected: State, found: State) -> None:
        """Where nothing returns from the salvage, it must have no hand in what is there."""
        for table, rows in found.items():
            for thing in {**expected[table], **rows}:
                model, there = expected[table].get(thing), rows.get(thing)
                if model is None or there is None:
                    wrong = model != there
                else:
                    wrong = any(model[c] is not MADE and model[c] != value for c, value in there.items())
                if wrong:
                    sentence = f"after {step} {table} {thing} is {there} and not {model}"
                    self.outcome.findings.append((UNLIKE_THE_SCRIPT, sentence))

    def _step(self, name: str, text: str) -> None:
        self.outcome.steps += [f"-- {name}", *([text] if text else ())]

    def _told(self) -> None:
        self.outcome.steps += self.users.told
        self.users.told.clear()


def _in_place(found: State, place: Place, value: Any) -> bool:
    table, thing, column = place
    row = found.get(table, {}).get(thing)
    return row is not None and (column is None or row.get(column) == value)


def _other_keys(tables: tuple[Table, ...], left: State, now: State) -> set[str]:
    """Things that got another key on the old schema; without a key any change makes another row."""
    changed = set()
    for table in tables:
        columns = table.key or tuple(one.name for one in table.columns)
        for thing, row in left[table.name].items():
            other = now[table.name].get(thing)
            if other is not None and any(row[column] != other[column] for column in columns):
                changed.add(thing)
    return changed


def _as_text(state: State, tables: tuple[Table, ...]) -> str:
    lines = []
    for table in tables:
        for thing, row in sorted(state[table.name].items()):
            values = ", ".join(f"{column} {value}" for column, value in row.items() if column != "mark")
            lines.append(f"--   {table.name} {thing}: {values}")
    return "\n".join(lines)
