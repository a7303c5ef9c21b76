# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every migration's rollback, proven from an empty database upwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

from ..errors import Refused, RunbookError, known
from ..execution.script import ScriptFailed, run_script
from ..postgres.connection import transaction
from ..postgres.script_session import scripts_turn
from ..preflight.requirements import check_declared, makers_of_chain
from ..sentences import listed
from ..shapes import Catalog, Connection, Content, Json, Migration, Script
from .rehearsal import Rehearsal

__all__ = ["FromEmpty", "naming", "rehearse_from_empty"]


def rehearse_from_empty(
    connection: Connection,
    migrations: Sequence[Migration],
    smoke: Sequence[Script],
    sample_files: int,
    accept_data_loss: Any = False,
    accept_residue: Any = False,
) -> list[Json]:
    """Prove each rollback, and end at the first that is not proven; see FromEmpty.

    Returns:
        list of dict: evidence of each migration.

    Raises:
        Refused: at the first failure or difference; ``details`` has the version as ``migration``.
    """
    rehearsal = FromEmpty(
        connection,
        migrations,
        smoke,
        sample_files,
        accept_data_loss=accept_data_loss,
        accept_residue=accept_residue,
    )
    rehearsal.rehearse()
    return list(rehearsal.evidence.values())


class FromEmpty:
    """Proves each rollback on the rows of the migrations before it, then all of them with rows everywhere.

    Args:
        connection: to an empty database.
        migrations: all of them, in order; each may have ``sample`` rows, loaded once it is in place.
        smoke: smoke test scripts.
        sample_files: value of the setting sample.files for the sample scripts.
        anew: gives a connection to another empty database, in which to go on after a failure; without it the first
            failure is the end.
        faulty: by version, why others cannot even be begun; they are failures from the beginning.
        consents: accept_data_loss and accept_residue of Rehearsal.

    Attributes:
        evidence: by version, of each rollback that came back (see Rehearsal), with ``sample_loaded``, ``rows_over``,
            the rows that were there at the end, and ``depends_on``, the migrations whose objects it uses according to
            the catalog.
        failures: by version, what each failed with first.
        applicable: versions that could be applied, whatever came of their rollbacks.
        untried: by version, which of those that it requires are not in place, without which it fails.
    """

    def __init__(
        self,
        connection: Connection,
        migrations: Sequence[Migration],
        smoke: Sequence[Script],
        sample_files: int,
        anew: Callable[[], Connection] | None = None,
        faulty: Mapping[str, RunbookError] = MappingProxyType({}),
        **consents: Any,
    ) -> None:
        self.migrations = migrations
        self.sample_files = sample_files
        self.anew = anew
        self.evidence: dict[str, Json] = {}
        self.failures: dict[str, RunbookError] = dict(faulty)
        self.applicable: set[str] = set()
        self.untried: dict[str, list[str]] = {}
        self._smoke = smoke
        self._consents = consents
        # A script without the line requires all before it, so that nothing of it can be missing.
        self._facts: list[dict[str, Any]] = [{**one, "requires_declared": True} for one in migrations]
        self._made: dict[str, str] = {}
        self._begin(connection)

    def _begin(self, connection: Connection) -> None:
        self.connection = connection
        self._rehearsal = Rehearsal(connection, self._smoke, **self._consents)
        self._placed: list[Migration] = []
        # The schema before each of them.
        self._catalogs: list[Catalog] = []

    def rehearse(self) -> None:
        """Rehearse all; what fails is in ``failures``.

        Raises:
            Refused: where there is no going on, at the first failure; ``details`` has the version as ``migration``.
        """
        for migration in self.migrations:
            self._upwards(migration)
        self._all_back()

    def _upwards(self, migration: Migration) -> None:
        """Prove one on top of those that are in place, and leave it there."""
        before = self._rehearsal.state()
        try:
            with naming(migration):
                proof = self._prove(migration)
        except RunbookError as error:
            if self.anew is None:
                raise
            self._go_on(migration, before)
            self._note(migration, error)
            return
        self._place(migration, before[0])
        try:
            with naming(migration):
                check_declared([migration], [proof], self._made, self._facts)
                proof["sample_loaded"] = _load_sample(self.connection, migration, self.sample_files)
        except RunbookError as error:
            self._note(migration, error)
            return
        self.evidence[migration["version"]] = proof

    def _prove(self, migration: Migration) -> Json:
        result = self._rehearsal.rehearse([migration])
        (proof,) = result["migrations"]
        self._made.update(makers_of_chain([proof], result["catalogs"]))
        return proof

    def _note(self, migration: Migration, error: RunbookError) -> None:
        """
        Raises:
            RunbookError: the same, where there is no going on.
        """
        if self.anew is None:
            raise error
        version = migration["version"]
        placed = {one["version"] for one in self._placed}
        missing = [one for one in migration["requires"] if one in {*self.failures, *self.untried} - placed]
        if missing and version not in placed:
            self.untried[version] = missing
            return
        self.evidence.pop(version, None)
        self.failures.setdefault(version, error)

    def _go_on(self, migration: Migration, before: tuple[Catalog, Content]) -> None:
        """After a failure: the migrations that are in place, and this one, if it can be applied at all."""
        if not self._is_as(before):
            self._build(self._placed)
        try:
            self._put_in_place(migration)
        except Refused:
            # One by one, its statements may have got half way.
            if not self._is_as(before):
                self._build(self._placed)

    def _is_as(self, before: tuple[Catalog, Content]) -> bool:
        """Whether the database has not changed; one to which the connection is lost is as good as gone."""
        return not self.connection.closed and self._rehearsal.state() == before

    def _build(self, migrations: Sequence[Migration]) -> None:
        """These migrations with their sample rows, in a new database."""
        self._begin(known(self.anew, "where to find an empty database")())
        for migration in migrations:
            self._put_in_place(migration)

    def _put_in_place(self, migration: Migration) -> None:
        """
        Raises:
            Refused: it cannot be applied.
        """
        catalog, _ = self._rehearsal.state()
        self._rehearsal.apply(migration, again=True)
        self._place(migration, catalog)
        try:
            _load_sample(self.connection, migration, self.sample_files)
        except Refused as refusal:
            self._note(migration, refusal)

    def _place(self, migration: Migration, before: Catalog) -> None:
        self.applicable.add(migration["version"])
        self._placed.append(migration)
        self._catalogs.append(before)

    def _all_back(self) -> None:
        """Roll back all that are in place, newest first, with rows in what each of them has made."""
        _, content = self._rehearsal.state()
        while self._placed:
            migration = self._placed[-1]
            rows = self._rehearsal.rows_in(content)
            try:
                with naming(migration):
                    content = self._back(migration, self._catalogs[-1])
            except RunbookError as error:
                self._note(migration, error)
                self._build(self._placed[:-1])
                _, content = self._rehearsal.state()
                continue
            self._placed.pop()
            self._catalogs.pop()
            proof = self.evidence.get(migration["version"])
            if proof is not None:
                proof.update(rows_over=rows, schema_restored_with_users_rows=True)

    def _back(self, migration: Migration, before: Catalog) -> Content:
        """
        Raises:
            Refused: the rollback fails, or does not give back the schema.
        """
        self._rehearsal.roll_back(migration)
        catalog, content = self._rehearsal.state()
        lines = self._rehearsal.differing(before, catalog)
        if lines:
            raise Refused(
                "rehearsal_rollback_schema_differs",
                f"The rollback of {migration['version']}, with users' rows in place, does not give back the schema:"
                f" {listed(lines)}. Correct the rollback script.",
            )
        return content


@contextmanager
def naming(migration: Migration) -> Iterator[None]:
    """Adds to the details of an error at which ``migration`` it was."""
    try:
        yield
    except RunbookError as error:
        error.details.setdefault("migration", migration["version"])
        raise


def _load_sample(connection: Connection, migration: Migration, sample_files: int) -> bool:
    script = migration.get("sample")
    if not script:
        return False
    try:
        with transaction(connection) as cursor, scripts_turn(cursor):
            cursor.execute("SELECT pg_catalog.set_config('sample.files', %s, true)", (str(sample_files),))
            run_script(cursor, script)
    except ScriptFailed as error:
        raise Refused(
            "sample_rows_unusable",
            f"The sample rows of {migration['version']} cannot be loaded: {error.reason}",
        ) from None
    return True
