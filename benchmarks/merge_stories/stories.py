# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""One story: deploy, users write, roll back, users write, deploy again; once, twice or three times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from benchmarks.merge_stories.databases import Connections
from benchmarks.merge_stories.judge import REFUSED, UNLIKE_THE_SCRIPT, Judge
from benchmarks.merge_stories.model import Migration, State, Table
from benchmarks.merge_stories.rule import Place, merge
from benchmarks.merge_stories.stage import Failed, NotAStory, Stage
from benchmarks.merge_stories.values import CITEXT, MADE
from benchmarks.merge_stories.writes import Users
from tests.integration.salvage.deployment import Deployment

__all__ = ["MakeMigration", "Outcome", "Story"]

MakeMigration = Callable[[Random], Migration]

#: How often nobody writes on the old schema, and how often users send COMMIT only when the rollback or deploy waits.
QUIET, LATE = 0.25, 0.15


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
    numbers_due: int = 0
    numbers_returned: int = 0
    not_back: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    cycles: int = 0
    writes: int = 0
    waited: int = 0
    kept_waiting: int = 0
    stopped: str = ""


class Story:
    """A migration and its users.

    Args:
        connections: to a database in whose schema public nothing is.
        make: makes the migration.
        chance: of everything.
        deployment: what deploys and rolls back.
    """

    def __init__(
        self,
        connections: Connections,
        make: MakeMigration,
        chance: Random,
        deployment: type[Deployment] = Deployment,
    ) -> None:
        self.chance = chance
        self.migration = make(chance)
        self.users = Users(connections.users, chance)
        self.outcome = Outcome(self.migration.kind)
        self.earlier: dict[Place, Any] = {}
        self.stage = Stage(connections, self.migration, deployment)

    def tell(self) -> Outcome:
        """Let it happen."""
        try:
            self._tell()
        except NotAStory as stopped:
            self.outcome.stopped = str(stopped)
        except Failed as failed:
            self.outcome.findings.append((REFUSED, str(failed)))
        self.outcome.kept_waiting = self.stage.kept_waiting
        return self.outcome

    def _tell(self) -> None:
        migration, chance = self.migration, self.chance
        self._step("before", migration.before)
        self.stage.set_up()
        self.users.fill(migration.old, chance.randint(3, 6))
        old = self.stage.read(migration.old)
        self._told()
        self._step("apply", migration.apply)
        self.stage.deploy(rehearse=True)
        new = self.stage.read(migration.new)
        self._compare("the first deploy", migration.forward(old), new)
        for _ in range(chance.choice((1, 1, 1, 2, 2, 3))):
            if self.outcome.findings:
                break
            self.outcome.cycles += 1
            self._cycle(new)
            new = self.stage.read(self.migration.new)

    def _cycle(self, new: State) -> None:
        """Writes on new, rollback, writes on old, deploy, verdict."""
        before = self.migration
        theirs, late = self._write("on the new schema", before.new, new, self.chance.randint(2, 9))
        self._step("rollback", before.rollback)
        self.stage.roll_back(late)
        left = self.stage.read(before.old)
        self._compare("the rollback", before.back(theirs), left)
        statements = 0 if self.chance.random() < QUIET else self.chance.randint(1, 6)
        self.migration = migration = before.edited or before
        # A script that reads a table before it locks it loses what is committed between, with or without us.
        locks = len(before.old) == 1 and migration.apply.startswith("ALTER TABLE")
        old, late = self._write("on the old schema", before.old, left, statements, locks)
        self._step("apply again", migration.apply)
        items = self.stage.deploy(late, rehearse=before.edited is not None, edited=before.edited)
        first = before.forward(left) if before.edited else None
        base, now = migration.forward(left), migration.forward(old)
        doubtful = _other_keys(migration.old, left, old) | _nothing_the_same(migration.new, base, now)
        self._judge(base, theirs, now, doubtful, items, first)

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
        merged = merge(base, theirs, now, tables, users.written, doubtful, self.migration.one_place)
        if first is not None:
            merged.forgive(first, now, users.cells)
        found = self.stage.read(tables)
        waiting = sum(item["held_back"] for item in items)
        judge = Judge(
            tables,
            merged,
            theirs,
            now,
            found,
            *self.stage.salvage(),
            waiting,
            users.written,
            users.cells,
            self.earlier,
            self.migration.one_place,
            doubtful,
        )
        verdict = judge.judge()
        found = judge.found  # rows of one mark in the order in which they were expected
        self.outcome.findings += verdict.findings
        self.outcome.due += verdict.due
        self.outcome.returned += verdict.returned
        self.outcome.numbers_due += verdict.numbers_due
        self.outcome.numbers_returned += verdict.numbers_returned
        self.outcome.not_back += verdict.not_back
        self.outcome.waited += waiting
        for places in (merged.back, merged.obstructed, merged.conflicts):
            self.earlier.update({place: value for place, value in places.items() if value is not None})
        self.earlier = {p: v for p, v in self.earlier.items() if not _in_place(found, p, v)}
        held = [{k: item[k] for k in ("table", "kind", "returned", "held_back", "reasons")} for item in items]
        self._step("salvage", "\n".join(f"-- {one}" for one in held))
        self._step("expected", _as_text(merged.state, tables))
        self._step("found", _as_text(found, tables))

    # Small steps ---------------------------------------------------------------------------------------------

    def _write(
        self, where: str, tables: tuple[Table, ...], state: State, statements: int, locks: bool = True
    ) -> tuple[State, bool]:
        """Let users write; what there is then, and whether they have yet to send COMMIT."""
        late = locks and statements > 0 and self.chance.random() < LATE
        self._step(where, "")
        self.outcome.writes += self.users.write(tables, state, statements)
        self._told()
        self.outcome.findings += [(REFUSED, sentence) for sentence in self.users.numbers_taken]
        after = self.stage.read(tables, commit=not late)
        if late:
            self._step("they send COMMIT while what follows waits for their locks", "")
        return after, late

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
            if other is not None and any(_key(table, c, row[c]) != _key(table, c, other[c]) for c in columns):
                changed.add(thing)
    return changed


def _nothing_the_same(tables: tuple[Table, ...], base: State, now: State) -> set[str]:
    """Things in tables without a key that people give, which have nothing of what told them from others."""
    changed = set()
    for table in tables:
        if any(table.column(name).users for name in table.key) or table.uniques:
            continue
        rows = base[table.name]
        telling = [
            one.name
            for one in table.columns
            if one.name != "mark"
            and one.name not in table.key
            and _tells([row[one.name] for row in rows.values()])
        ]
        for thing, row in rows.items():
            other = now[table.name].get(thing)
            if other is not None and not any(row[c] == other[c] and row[c] is not None for c in telling):
                changed.add(thing)
    return changed


def _tells(values: list[Any]) -> bool:
    """Whether most of the values are in one row only; of what the database makes up nobody knows."""
    known = [value for value in values if value is not None]
    return MADE not in known and 2 * len(set(map(str, known))) > len(known)


def _key(table: Table, column: str, value: Any) -> Any:
    """As the unique index compares it."""
    return value.lower() if table.column(column).kind is CITEXT and value is not None else value


def _as_text(state: State, tables: tuple[Table, ...]) -> str:
    lines = []
    for table in tables:
        for thing, row in sorted(state[table.name].items()):
            values = ", ".join(f"{column} {value}" for column, value in row.items() if column != "mark")
            lines.append(f"--   {table.name} {thing}: {values}")
    return "\n".join(lines)
