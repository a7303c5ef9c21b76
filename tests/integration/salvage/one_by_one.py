# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A deployment whose rollback commits its statements one by one, as the runbook runs such a script."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.pgops.runbook.plugins.module_utils.catalog.application import read_schema
from ansible_collections.pgops.runbook.plugins.module_utils.execution.one_by_one import (
    begin_or_resume,
    run_one_by_one,
)
from ansible_collections.pgops.runbook.plugins.module_utils.execution.script import LockPolicy
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.journal import Journal
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.ledger import Ledger
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.keeping.one_by_one import StatementSalvage
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.watch import TouchWatch
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.script import parse_script

from tests.integration.salvage.deployment import VERSION, Deployment
from tests.integration.salvage.random_migrations import RandomMigration

__all__ = ["OneByOne", "story_of"]

POLICY = LockPolicy(timeout_seconds=2, attempts=1, pause_seconds=0)


class OneByOne(Deployment):
    """As Deployment, with ``-- Transaction: none`` in the head of the rollback script.

    Attributes:
        between: called with the ordinal of each statement, before it and in no transaction.
    """

    def __init__(self, connection: Any, apply: str, rollback: str):
        super().__init__(connection, apply, rollback)
        self.between: Callable[[int], None] = lambda ordinal: None
        self.destroyed: list[list[dict[str, Any]]] | None = None

    def script(self) -> dict[str, Any]:
        parsed = parse_script(self.rollback, "rollback/002.sql")
        statements = [
            {key: getattr(one, key) for key in ("sql", "line", "column", "kind", "alone", "object")}
            for one in parsed.statements
        ]
        return {"name": "rollback/002.sql", "statements": statements, "forbids_transaction": []}

    def rehearse(self) -> None:
        """What each statement destroys right after the migration; in one transaction, which is undone."""
        script, self.rollback = self.rollback, self.rollback.replace(" CONCURRENTLY", "")
        try:
            super().rehearse()
            self._rehearse_statements()
        finally:
            self.rollback = script

    def _rehearse_statements(self) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(self.apply)
            self.destroyed = []
            for statement in self.script()["statements"]:
                watch = TouchWatch(cursor)
                cursor.execute(statement["sql"])
                self.destroyed.append(watch.as_json())
        self.connection.rollback()

    def roll_back(self) -> list[dict[str, Any]]:
        """Statement by statement; goes on where an earlier call was interrupted."""
        script = self.script()
        with self.transaction() as cursor:
            ledger = Ledger()
            ledger.create(cursor)
            self.attempts += 1
            journal, _ = begin_or_resume(
                cursor, ledger, f"run {self.attempts}", {"version": VERSION}, "rollback", read_schema(cursor)
            )
            cursor.execute("SELECT run_id FROM runbook.journal WHERE journal_id = %s", (journal.journal_id,))
            (run_id,) = cursor.fetchone()
        salvage = StatementSalvage(journal.journal_id, run_id, VERSION, self.destroyed, self.written)
        journal = _Interrupted(journal.journal_id, self.between)
        run_one_by_one(self.connection, journal, script, POLICY, salvage=salvage)
        with self.transaction() as cursor:
            kept = salvage.finish(cursor)
            journal.close(cursor)
        return kept


class _Interrupted(Journal):
    def __init__(self, journal_id: int, between: Callable[[int], None]):
        super().__init__(journal_id)
        self.between = between

    def state(self, cursor: Any, ordinal: int, statement: dict[str, Any]) -> str:
        found = super().state(cursor, ordinal, statement)
        if found != "done":
            self.between(ordinal)
        return found


def story_of(
    connection: Any, migration: RandomMigration, deployment: type[Deployment] = Deployment
) -> Deployment:
    """The deployment of a random migration, with its rollback as one transaction or one by one."""
    kind = OneByOne if migration.one_by_one else deployment
    return kind(connection, migration.apply, migration.rollback)
