# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the copy adds to the recipe: sizes of tables, what a rollback destroys, paths for the look at the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from ..catalog.application import read_schema
from ..errors import Refused
from ..execution.hooks import Hooks, Work
from ..execution.script import LockPolicy
from ..ledger.ledger import RUN_LOCK, Ledger
from ..library.follow import PathsBefore, record_on_copy
from ..postgres.advisory_locks import lock_of, take
from ..postgres.connection import connect_again, transaction
from ..postgres.replication import enabled_subscriptions
from ..salvage.watch import DestructionWatch, losses_to_json
from ..sentences import listed
from ..shapes import Catalog, Connection, Cursor, Script
from .shared_objects import refuse_shared_changes, shared_state

__all__ = ["CopyHooks", "refuse_collisions"]

# Nobody else is on the copy. It is there so that a script that lifts limits is seen to, before it is in production.
LOCK_TIMEOUT_SECONDS = 60

T = TypeVar("T")


def refuse_collisions(work: Work, lines: list[str]) -> None:
    """
    Raises:
        Refused: the rollback leaves a sequence at values that its column has.
    """
    if lines:
        raise Refused(
            "sequence_would_collide",
            f"Checklist item 'rollback tested on a copy': after the rollback of {work.version} {listed(lines)}.",
        )


class CopyHooks(Hooks):
    """Hooks of a rehearsal.

    Args:
        connection: to the copy.
        smoke: smoke test scripts.
        files_follow: whether the inventory has a library, so that production's paths will be locked and compared.
        statement_timeout_seconds: greatest time of one statement, as in production; 0 means none.

    Attributes:
        keeps_paths: whether the copy is now going to be as production will be, so that changed paths count.
    """

    run_id = "rehearsal"
    measures_rollbacks = True
    with_sizes = True
    keeps_paths = False
    stays = False

    def __init__(
        self,
        connection: Connection,
        smoke: list[Script],
        files_follow: bool = False,
        statement_timeout_seconds: float = 0,
    ) -> None:
        self._connection = connection
        self._limits = LockPolicy(
            timeout_seconds=LOCK_TIMEOUT_SECONDS, statement_timeout_seconds=statement_timeout_seconds
        )
        self.ledger = Ledger()
        self.policy = LockPolicy()
        self.smoke = smoke
        self.files_follow = files_follow

    @property
    def connection(self) -> Connection:
        return self._connection

    @contextmanager
    def own_session(self) -> Iterator[None]:
        """Inside, the recipe has a session of its own, as it has in production: nothing is left of an earlier script's.

        Raises:
            ServerUnreachable: as ``connect`` does.
        """
        idle, self._connection = self._connection, connect_again(self._connection)
        try:
            # As the session has it in production: what a script finds there it finds here.
            with transaction(self._connection) as cursor:
                take(cursor, lock_of(RUN_LOCK))
            yield
        finally:
            self._connection.close()
            self._connection = idle

    def in_transaction(
        self, versions: list[str], direction: str, begins: bool, attempt: Callable[[Cursor], T]
    ) -> T:
        with transaction(self._connection) as cursor:
            return attempt(cursor)

    def begin(self, cursor: Cursor) -> None:
        self._limits.set_in(cursor)

    def journal_begins(self, cursor: Cursor) -> None:
        # A copy of a database that no run has changed yet has no ledger.
        self.ledger.create(cursor)

    def before_script(self, cursor: Cursor, work: Work) -> None:
        work.notes["shared"] = shared_state(cursor)

    def schema_now(self, cursor: Cursor, work: Work) -> Catalog:
        """Read as a whole; compared with what production reads under its locks, the part that changed."""
        whole = read_schema(cursor)
        alike = work.reading is not None and work.reading.again(cursor) == whole
        work.notes["read_in_part"] = alike and work.notes.get("read_in_part", True)
        return whole

    def before_rows_change(self, cursor: Cursor, work: Work) -> None:
        work.notes["watch"] = DestructionWatch(cursor)

    def after_rows_changed(self, cursor: Cursor, work: Work) -> None:
        watch: DestructionWatch = work.notes["watch"]
        work.notes["destroyed"] = losses_to_json(watch.losses(watch.look()))

    def script_ran(self, cursor: Cursor, work: Work) -> None:
        if "shared" in work.notes:
            refuse_shared_changes(cursor, work.script["name"], work.notes["shared"], work.one_by_one)
        self._refuse_started_subscriptions(cursor, work)
        if work.direction == "apply":
            return
        work.impact["destroyed"] = work.notes["destroyed"]
        refuse_collisions(work, work.collisions)

    def _refuse_started_subscriptions(self, cursor: Cursor, work: Work) -> None:
        """Their workers begin at COMMIT; what they read, production's own would not be given again."""
        started = enabled_subscriptions(cursor)
        if started:
            raise Refused(
                "statement_forbidden",
                f"{work.script['name']} starts a subscription ({listed(started)}), and the copy's would read from the"
                " publisher what production's own is to read. Leave that out of the script, and start it by hand.",
                script=work.script["name"],
            )

    def finish(self, cursor: Cursor, work: Work, paths: PathsBefore | None) -> None:
        if paths is not None and work.direction == "apply" and self.keeps_paths:
            self.ledger.create(cursor)
            record_on_copy(cursor, paths, work.version)
