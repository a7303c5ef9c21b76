# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""One migration deployed, rolled back and deployed again with the runbook's own functions, without its steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ansible_collections.pgops.runbook.plugins.module_utils.content.fingerprint import content_fingerprint
from ansible_collections.pgops.runbook.plugins.module_utils.impact.meter import ImpactMeter
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.script_session import (
    on_role_path,
    scripts_turn,
)
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.keeping.keeper import (
    NotForeseen,
    SalvageKeeper,
)
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.returning.returner import SalvageReturner
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.watch import (
    DestructionWatch,
    losses_to_json,
)

VERSION = "002"


class Deployment:
    """A database, a migration and its rollback.

    Args:
        connection: to the database.
        apply, rollback: SQL of the migration.
        version: of the migration.
    """

    def __init__(self, connection: Any, apply: str, rollback: str, version: str = VERSION) -> None:
        self.connection = connection
        self.version = version
        self.apply = apply
        self.rollback = rollback
        self.foreseen: list[dict[str, Any]] | None = None
        self.written: set[str] | None = None
        self.attempts = 0

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        try:
            with self.connection.cursor() as cursor:
                yield cursor
            self.connection.commit()
        except BaseException:
            self.connection.rollback()
            raise

    def execute(self, statements: str) -> None:
        with self.transaction() as cursor, on_role_path(cursor):
            cursor.execute(statements)

    def ask(self, query: str) -> list[tuple]:
        with self.transaction() as cursor, on_role_path(cursor):
            cursor.execute(query)
            return cursor.fetchall()

    @staticmethod
    def run_script(cursor: Any, script: str) -> None:
        """As the runbook runs one: in the session that its role would have."""
        with scripts_turn(cursor):
            cursor.execute(script)

    def rehearse(self) -> None:
        """What a rehearsal sees: the rollback right after the migration, before anybody has written."""
        with self.connection.cursor() as cursor:
            self.run_script(cursor, self.apply)
            watch = DestructionWatch(cursor)
            self.run_script(cursor, self.rollback)
            self.foreseen = losses_to_json(watch.losses(watch.look()))
        self.connection.rollback()

    def deploy(self, restore_salvage: bool = True) -> list[dict[str, Any]]:
        """Apply; what came back."""
        with self.transaction() as cursor:
            returner = SalvageReturner(cursor, "run", self.version, restore_salvage)
            returner.choose()
            meter = ImpactMeter(cursor)
            self.run_script(cursor, self.apply)
            meter.statement_done({"line": 1})
            self.written = set(meter.result()["written"])
            return returner.after()

    def roll_back(self) -> list[dict[str, Any]]:
        """Roll back as production does, in as many attempts as it takes; what was kept."""
        losses_seen = None
        # Nothing, then what is destroyed at once, then what only that made possible.
        for _ in range(3):
            self.attempts += 1
            try:
                with self.transaction() as cursor:
                    keeper = SalvageKeeper(
                        cursor, f"run {self.attempts}", self.version, self.foreseen, self.written, losses_seen
                    )
                    keeper.before()
                    self.run_script(cursor, self.rollback)
                    return keeper.after(lambda: self.run_script(cursor, self.apply))
            except NotForeseen as found:
                losses_seen = found.losses_seen
        raise AssertionError("three attempts did not learn all that the rollback destroys")

    def content(self) -> dict[str, Any]:
        """Fingerprint of all rows but those of schema_migrations, and where the sequences stand."""
        with self.transaction() as cursor:
            found = content_fingerprint(cursor)
        for kept in found.values():
            for name in [name for name in kept if name.startswith("public.schema_migrations")]:
                del kept[name]
        return found

    def rows(self) -> dict[str, Counter[str]]:
        """Every row of schema public as PostgreSQL writes it, with the number of its equals."""
        names = self.ask(
            "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition"
            " AND c.relnamespace = 'public'::regnamespace"
        )
        return {
            name: Counter(line for (line,) in self.ask(f"SELECT t::text FROM {name} t")) for (name,) in names
        }

    def round_trip_loses_nothing(self, writes: Callable[[], Any]) -> list[dict[str, Any]]:
        """deploy, write, roll back, deploy: every row that there was is there again as it was, and no other.

        Returns:
            what was kept.
        """
        self.rehearse()
        self.deploy()
        writes()
        before = self.rows()
        kept = self.roll_back()
        returned = self.deploy()
        after = self.rows()
        held_back = [item for item in returned if item["held_back"]]
        assert not held_back, held_back
        for name, lines in before.items():
            missing = lines - after[name]
            assert not missing, f"{name} lacks {missing} and has {after[name] - lines}; {returned}"
            more = after[name] - lines
            assert not more, f"{name} has {more} too; {returned}"
        return kept

    def round_trip(self, writes: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """deploy, write, roll back, deploy: the same content as deploy and write.

        Returns:
            what was kept, what came back.
        """
        self.rehearse()
        self.deploy()
        self.execute(writes)
        before = self.content()
        kept = self.roll_back()
        returned = self.deploy()
        after = self.content()
        for name, facts in before["tables"].items():
            assert after["tables"][name] == facts, (name, self.ask(f"SELECT * FROM {name}"), returned)
        for name, value in before["sequences"].items():
            assert after["sequences"][name] >= value, name
        held_back = [item for item in returned if item["held_back"]]
        assert not held_back, held_back
        return kept, returned
