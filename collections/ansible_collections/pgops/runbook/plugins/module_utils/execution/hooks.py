# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the copy and production add to the recipe, each at a place with a name."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Set
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TypeVar

from ..catalog.application import read_schema
from ..catalog.reading import SchemaReading
from ..errors import RunbookError
from ..ledger.ledger import Ledger
from ..library.follow import PathsBefore
from ..salvage.keeping.keeper import NotForeseen
from ..shapes import Catalog, Connection, Cursor, Impact, Json, Migration, Script, Timing
from .script import LockPolicy, script_of

__all__ = ["Hooks", "Work"]


T = TypeVar("T")


@dataclass
class Work:
    """One migration on its way through the recipe, with what is known of it so far.

    Attributes:
        migration: with its scripts.
        direction: "apply" or "rollback".
        one_by_one: whether its statements commit one by one.
        run_id: name of the run that began it, under which salvage is kept.
        found: catalog in which this run found the database.
        before: catalog from before the first statement; another one only where an earlier run did the first ones.
        reading: of the schema in the transaction of all statements; None where they commit one by one.
        statements: their timings.
        impact: what they did (see ImpactMeter and ImpactOneByOne), empty where nobody measures.
        made: catalog after the last statement.
        verified: names of the verify scripts that held on its own work.
        after: catalog in the end, with what came back from the salvage.
        returned: what came back from the salvage (see SalvageReturner).
        salvage: what was kept of what a rollback destroyed (see SalvageKeeper).
        collisions: sentences on sequences that the rollback left below the values of their columns.
        failure: of statements that are committed already, what a check said against them.
        changed: keys of the schema of which ``found`` and ``made`` may differ; None: any.
        notes: what hooks keep for their own later use; the recipe looks at none of it.
    """

    migration: Migration
    direction: str
    one_by_one: bool = False
    run_id: str = ""
    begun: float = field(default_factory=time.monotonic)
    found: Catalog = field(default_factory=dict)
    before: Catalog = field(default_factory=dict)
    reading: SchemaReading | None = None
    statements: list[Timing] = field(default_factory=list)
    impact: Impact = field(default_factory=dict)
    made: Catalog = field(default_factory=dict)
    after: Catalog = field(default_factory=dict)
    verified: list[str] = field(default_factory=list)
    returned: list[Json] = field(default_factory=list)
    salvage: list[Json] = field(default_factory=list)
    collisions: list[str] = field(default_factory=list)
    failure: Exception | None = None
    changed: Set[str] | None = None
    notes: Json = field(default_factory=dict)

    @property
    def version(self) -> str:
        return self.migration["version"]

    @property
    def script(self) -> Script:
        """The one that is run."""
        return script_of(self.migration, self.direction)

    def seconds(self) -> float:
        """How long it has taken so far."""
        return round(time.monotonic() - self.begun, 3)

    def verify_scripts(self) -> list[Script]:
        """Its verify script, as a list of none or one."""
        script = self.migration.get("verify")
        return [script] if script else []


class Hooks:
    """What the recipe asks and tells; methods that a subclass does not have do nothing.

    The recipe calls them in the order in which they stand here, once for each migration.

    Attributes:
        run_id: name of the run, under which salvage is kept and comes back.
        ledger: Ledger of the journal.
        policy: LockPolicy for statements that commit one by one.
        smoke: smoke test scripts.
        restore_salvage: whether what an earlier rollback kept comes back.
        files_follow: whether files on disk are to follow the paths in the database.
        measures_rollbacks: whether a rollback in one transaction is measured.
        with_sizes: whether tables are measured too, which takes a short lock on each of them.
        left: what rollbacks of this very run have rightly left (see catalog.residue).
        stays: whether what was committed of a script that fails half way is there afterwards.
        others_write: whether others may write rows meanwhile, so that a statement in batches finds new ones for ever.
    """

    run_id: str
    ledger: Ledger
    policy: LockPolicy
    smoke: list[Script]
    restore_salvage: bool = True
    files_follow: bool = False
    measures_rollbacks: bool = False
    with_sizes: bool = False
    left: Collection[str] = ()
    others_write: bool = False
    stays: bool = True

    @property
    def connection(self) -> Connection:
        """The connection as it is now: an attempt that lost it may have made another one."""
        raise NotImplementedError

    # Around ----------------------------------------------------------------------------------------------

    def in_transaction(
        self, versions: list[str], direction: str, begins: bool, attempt: Callable[[Cursor], T]
    ) -> T:
        """Call ``attempt(cursor)`` in a transaction, commit it, and return what it returns.

        Args:
            versions: the migrations that it is about.
            direction: "apply" or "rollback".
            begins: whether only the journal is begun in it.
            attempt: may be called again where it was undone.
        """
        raise NotImplementedError

    @contextmanager
    def blockers(self) -> Iterator[Callable[[], list[str]]]:
        """While statements commit one by one: gives a function that says who blocks them."""
        yield list

    def cancellable(self, undone: bool) -> AbstractContextManager[None]:
        """Around a statement that commits by itself, or a transaction up to its COMMIT, which somebody may end.

        Args:
            undone: whether what is inside is undone where this raises.
        """
        return nullcontext()

    def between_batches(self) -> None:
        """A batch is committed, and the next one has not begun."""

    def not_foreseen(self, found: NotForeseen) -> None:
        """What after_rows_changed raised was undone, and is tried again if this returns."""
        raise found

    def not_begun(self, work: Work, error: RunbookError) -> RunbookError:
        """The error to raise where the first of these statements failed, so that nothing was changed."""
        return error

    # In a transaction ------------------------------------------------------------------------------------

    def begin(self, cursor: Cursor) -> None:
        """The transaction has begun."""

    def journal_begins(self, cursor: Cursor) -> None:
        """The journal is going to be begun in this transaction."""

    def before_script(self, cursor: Cursor, work: Work) -> None:
        """``work.found`` and ``work.before`` are known, and nothing was changed yet; to refuse, raise."""

    def schema_now(self, cursor: Cursor, work: Work) -> Catalog:
        """The schema after the last statement, and when that may have changed; sets ``work.changed``."""
        return read_schema(cursor)

    def before_rows_change(self, cursor: Cursor, work: Work) -> None:
        """What a rollback destroys it destroys in this transaction, from here on."""

    def after_rows_changed(self, cursor: Cursor, work: Work) -> None:
        """It has destroyed what it destroys.

        Raises:
            NotForeseen: more than was kept: see not_foreseen.
        """

    def script_ran(self, cursor: Cursor, work: Work) -> None:
        """The last statement is done: ``work.made``, ``impact`` and ``collisions`` are known; to refuse, raise.

        Where statements commit one by one, what is raised is reported when the receipt is written.
        """

    def finish(self, cursor: Cursor, work: Work, paths: PathsBefore | None) -> None:
        """All checks of this migration held, or ``work.failure`` says which did not; COMMIT comes next."""
