# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The database of a story: what deploys and rolls back there, and what a look at it finds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg2

from benchmarks.merge_stories.databases import Connections
from benchmarks.merge_stories.model import Migration, State, Table, read
from tests.integration.salvage.deployment import Deployment

__all__ = ["Failed", "NotAStory", "Stage"]

Items = list[dict[str, Any]]
PATIENCE_SECONDS = 5.0


class NotAStory(Exception):
    """What users wrote stops the migration itself, with or without a salvage."""


class Failed(Exception):
    """A deploy or rollback ended with an error, and its script alone would not."""


class Stage:
    """A database and a migration, or several.

    Args:
        connections: of users, and of ours.
        migration: its parts are deployed in their order and rolled back newest first.
        deployment: what deploys and rolls back.
    """

    def __init__(self, connections: Connections, migration: Migration, deployment: type[Deployment]) -> None:
        self.users, self.ours = connections.users, connections.ours
        self.migration = migration
        self.kept_waiting = 0
        self.deployments = [
            deployment(self.ours, _as_run(one.apply), _as_run(one.rollback), f"{number:03}")
            for number, one in enumerate(migration.parts or (migration,), start=2)
        ]

    def set_up(self) -> None:
        """The old schema."""
        with self.users.cursor() as cursor:
            cursor.execute(self.migration.before)
        self.users.commit()

    def deploy(self, late: bool = False, rehearse: bool = False, edited: Migration | None = None) -> Items:
        """Apply, in the order of versions; what came back.

        Args:
            late: users send COMMIT when it waits for them.
            rehearse: first see what the rollback destroys.
            edited: another text of the same migration.
        """
        if edited is not None:
            self.deployments[0].apply = _as_run(edited.apply)
            self.deployments[0].rollback = _as_run(edited.rollback)
        if rehearse and late:
            # A rehearsal is on a copy, where no user is.
            self.users.commit()
        items: Items = []
        for number, one in enumerate(self.deployments):
            if rehearse:
                self._guarded(one.rehearse, one.apply)
            items += self._guarded(one.deploy, one.apply, late and number == 0 and not rehearse)
        return items

    def roll_back(self, late: bool = False) -> None:
        """Newest first."""
        for number, one in reversed([*enumerate(self.deployments)]):
            self._guarded(one.roll_back, one.rollback, late and number == len(self.deployments) - 1)

    def read(self, tables: tuple[Table, ...], commit: bool = True) -> State:
        """What users see."""
        with self.users.cursor() as cursor:
            state = read(cursor, tables)
        if commit:
            self.users.commit()
        return state

    def salvage(self) -> tuple[str, str]:
        """The text of what waits there, and of that with the rows whose deletion waits."""
        with self.users.cursor() as cursor:
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
        self.users.commit()
        return " ".join([*(row[0] for row in rows), *objects]), " ".join(row[1] for row in rows)

    def _guarded(self, act: Callable[[], Any], bare: str, late: bool = False) -> Any:
        """Do it; an error counts as one unless the bare script ends with the same."""
        try:
            return self._while_users_commit(act) if late else act()
        except Exception as error:
            self.ours.rollback()
            if self._fails_likewise(bare, error):
                raise NotAStory(str(error)) from error
            raise Failed(f"{type(error).__name__}: {str(error).strip()}") from error

    def _fails_likewise(self, bare: str, error: Exception) -> bool:
        with self.ours.cursor() as cursor:
            try:
                Deployment.run_script(cursor, bare)
            except psycopg2.Error as own:
                return type(own) is type(error)
            finally:
                self.ours.rollback()
        return False

    def _while_users_commit(self, act: Callable[[], Any]) -> Any:
        """Users have written and not sent COMMIT: they do when our transaction waits for them, or is done."""
        result: list[Any] = []
        errors: list[Exception] = []

        def run() -> None:
            try:
                result.append(act())
            except Exception as error:
                errors.append(error)

        ours = self.ours.info.backend_pid
        thread = threading.Thread(target=run)
        thread.start()
        with self.users.cursor() as cursor:
            for _ in range(int(PATIENCE_SECONDS / 0.002)):
                cursor.execute("SELECT count(*) FROM pg_locks WHERE pid = %s AND NOT granted", [ours])
                waits = cursor.fetchone() != (0,)
                self.kept_waiting += waits
                if waits or not thread.is_alive():
                    break
                time.sleep(0.002)
        self.users.commit()
        thread.join()
        if errors:
            raise errors[0]
        return result[0]


def _as_run(script: str) -> str:
    """As the runbook runs every script: what is deferred to COMMIT is done before anybody looks."""
    return f"{script}\nSET CONSTRAINTS ALL IMMEDIATE;"
