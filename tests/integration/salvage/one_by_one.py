# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A deployment whose rollback commits its statements one by one, as the runbook runs such a script."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from ansible_collections.pgops.runbook.plugins.module_utils.catalog.application import read_schema
from ansible_collections.pgops.runbook.plugins.module_utils.execution.hooks import Hooks, Work
from ansible_collections.pgops.runbook.plugins.module_utils.execution.one_by_one import (
    begin_or_resume,
    run_one_by_one,
)
from ansible_collections.pgops.runbook.plugins.module_utils.execution.parts import parts_of
from ansible_collections.pgops.runbook.plugins.module_utils.execution.script import LockPolicy
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.journal import Journal
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.ledger import Ledger
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.keeping.keeper import (
    NotForeseen,
    SalvageKeeper,
)
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.store.items import SalvageStore
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.script import parse_script

from tests.integration.salvage.deployment import VERSION, Deployment
from tests.integration.salvage.random_migrations import RandomMigration

__all__ = ["OneByOne", "story_of"]


class OneByOne(Deployment):
    """As Deployment, with ``-- Transaction: none`` in the head of the rollback script.

    Attributes:
        between: called with the ordinal of the first statement of each part, before it and in no transaction.
        seen: for the test's own notes of them.
    """

    def __init__(self, connection: Any, apply: str, rollback: str) -> None:
        super().__init__(connection, apply, rollback)
        self.between: Callable[[int], None] = lambda ordinal: None
        self.seen: list[int] = []

    def script(self) -> dict[str, Any]:
        parsed = parse_script(self.rollback, "rollback/002.sql")
        statements = [dataclasses.asdict(one) for one in parsed.statements]
        return {"name": "rollback/002.sql", "statements": statements, "forbids_transaction": []}

    def rehearse(self) -> None:
        """What it destroys right after the migration; in one transaction, which is undone."""
        script, self.rollback = self.rollback, self._in_a_transaction()
        try:
            super().rehearse()
        finally:
            self.rollback = script

    def _in_a_transaction(self) -> str:
        found = self.rollback.replace(" CONCURRENTLY", "")
        return ";".join(text for text in found.split(";") if not text.strip().startswith("VACUUM"))

    def finish_and_apply(self) -> str:
        """What is left of the rollback, and the migration, as one transaction runs them."""
        parts = parts_of({**self.script(), "name": ""}, "rollback")
        after = [at for at, part in enumerate(parts) if part.changes_rows]
        rest = [one["sql"] for part in parts[after[0] + 1 :] for one in part.statements] if after else []
        found = ";".join(one.replace(" CONCURRENTLY", "") for one in rest if not one.startswith("VACUUM"))
        return f"{found};{self.apply}" if found else self.apply

    def roll_back(self) -> list[dict[str, Any]]:
        """Part by part; goes on where an earlier call was interrupted."""
        work = Work({"version": VERSION, "rollback": self.script()}, "rollback", one_by_one=True)
        with self.transaction() as cursor:
            ledger = Ledger()
            ledger.create(cursor)
            self.attempts += 1
            journal, _ = begin_or_resume(
                cursor, ledger, f"run {self.attempts}", work.migration, "rollback", read_schema(cursor)
            )
        work.run_id = journal.run_id
        first = {part.first for part in parts_of(work.script, "rollback")}
        interrupted = _Interrupted(journal, first, self.between)
        run_one_by_one(interrupted, work, _Keeping(self))
        with self.transaction() as cursor:
            journal.close(cursor)
            return SalvageStore(cursor).items_of(work.run_id, VERSION)


class _Keeping(Hooks):
    """Keeps as production does."""

    policy = LockPolicy(timeout_seconds=2, attempts=1, pause_seconds=0)

    def __init__(self, story: OneByOne) -> None:
        self.story = story
        self.losses_seen: dict[int, Any] | None = None

    @property
    def connection(self) -> Any:
        return self.story.connection

    def before_rows_change(self, cursor: Any, work: Work) -> None:
        self.keeper = SalvageKeeper(
            cursor, work.run_id, VERSION, self.story.foreseen, self.story.written, self.losses_seen
        )
        self.keeper.before()

    def after_rows_changed(self, cursor: Any, work: Work) -> None:
        self.keeper.after(lambda: cursor.execute(self.story.finish_and_apply()))

    def not_foreseen(self, found: NotForeseen) -> None:
        self.losses_seen = found.losses_seen


class _Interrupted(Journal):
    def __init__(self, journal: Journal, first: set[int], between: Callable[[int], None]) -> None:
        super().__init__(journal.journal_id, journal.run_id, journal.direction)
        self.first = first
        self.between = between

    def state(self, cursor: Any, ordinal: int, statement: dict[str, Any]) -> str:
        found = super().state(cursor, ordinal, statement)
        if found != "done" and ordinal in self.first:
            self.between(ordinal)
        return found


def story_of(
    connection: Any, migration: RandomMigration, deployment: type[Deployment] = Deployment
) -> Deployment:
    """The deployment of a random migration, with its rollback as one transaction or one by one."""
    kind = OneByOne if migration.one_by_one else deployment
    return kind(connection, migration.apply, migration.rollback)
