# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rehearsal: migrations and rollbacks on a copy, with schema and data compared after each."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..catalog.application import read_schema
from ..catalog.changes import schema_changes
from ..catalog.dependencies import Edge, dependency_edges, used_objects
from ..catalog.difference import difference, undone
from ..consent import CONSENT_SPEC
from ..content.fingerprint import content_fingerprint
from ..digests import digest_of
from ..errors import Refused
from ..execution.hooks import Work
from ..execution.parts import commits_one_by_one, does_nothing
from ..execution.recipe import apply_in_one_transaction, apply_together, roll_back_in_one_transaction
from ..execution.recipe_one_by_one import apply_one_by_one, roll_back_one_by_one
from ..ledger.bookkeeping import books
from ..ledger.journal import open_journal
from ..ledger.ledger import Ledger
from ..ledger.versions import VersionTable
from ..postgres.connection import transaction
from ..postgres.sequences import collisions, new_collisions
from ..sentences import listed
from ..shapes import Catalog, Connection, Content, Impact, Json, Migration, Script
from .dropped import Place, columns_in_place, dropped
from .failures import RefusedAs
from .hooks import CopyHooks, refuse_collisions
from .left_behind import LeftBehind
from .together import rehearse_together

__all__ = ["RESIDUE_SPEC", "TABLES_NAMED", "Rehearsal"]

RESIDUE_SPEC = {"accept_residue": CONSENT_SPEC}

#: Of how many tables a receipt says how many rows they had: those with most.
TABLES_NAMED = 20


class Rehearsal:
    """Migrations and their rollbacks on one copy.

    Args:
        connection: to the copy.
        smoke: smoke test scripts.
        restore_salvage: whether what an earlier rollback kept goes back with the migration. That is rehearsed when
            it is applied again: its rollback is proven without rows of users, some of which it may rightly keep.
        files_follow: whether the inventory has a library, so that production's paths will be locked and compared.
        production: idle connection to the database that the copy was made from, to name the rows that a rollback does
            not give back.
        accept_data_loss: whether rows that a rollback does not give back may stay so where the header declares it.
        statement_timeout_seconds: greatest time of one statement, as in production; 0 means none.
        accept_residue: whether what no rollback can take back may stay though no header declares it.
        residue: what earlier rollbacks have rightly left on this copy.
    """

    def __init__(
        self,
        connection: Connection,
        smoke: Iterable[Script] = (),
        restore_salvage: bool = False,
        files_follow: bool = False,
        production: Connection | None = None,
        accept_data_loss: Any = False,
        statement_timeout_seconds: float = 0,
        accept_residue: Any = False,
        residue: Iterable[str] = (),
    ) -> None:
        self.connection = connection
        self.restore_salvage = restore_salvage
        self.left = LeftBehind(connection, production, accept_data_loss, accept_residue, residue)
        self._books = books().table
        self.hooks = CopyHooks(connection, list(smoke), files_follow, statement_timeout_seconds)
        self.hooks.left = self.left.residue

    def state(self, only_columns: Mapping[str, Any] | None = None) -> tuple[Catalog, Content]:
        """(catalog, content) of the copy now."""
        with transaction(self.connection) as cursor:
            content = content_fingerprint(cursor, only_columns=only_columns)
            return read_schema(cursor), VersionTable(cursor).without_books(content)

    def differing(self, before: Catalog, after: Catalog) -> list[str]:
        """How the schema of the copy differs from an earlier one, for the person on call; see LeftBehind."""
        return self.left.differing(before, after)

    def apply(self, migration: Migration, puts_back: bool = False, again: bool = False) -> Work:
        """Apply, verify, put salvage back, smoke test.

        Args:
            migration: with its scripts.
            puts_back: whether what an earlier rollback kept comes back.
            again: whether this is the last time, after which the copy is as production will be.
        """
        self.hooks.restore_salvage = puts_back
        self.hooks.keeps_paths = again
        run = apply_one_by_one if commits_one_by_one(migration["apply"]) else apply_in_one_transaction
        with self._named(migration, "fails on the copy", "apply"), self.hooks.own_session():
            return run(migration, self.hooks)

    def roll_back(self, migration: Migration) -> Work:
        """Roll back and smoke test.

        Raises:
            Refused: it fails, or leaves a sequence at values that its column has.
        """
        before = self._collisions()
        with self._named(migration, "fails to roll back on the copy", "rollback"), self.hooks.own_session():
            if commits_one_by_one(migration["rollback"]):
                work = roll_back_one_by_one(migration, self.hooks)
            else:
                (work,) = roll_back_in_one_transaction([migration], self.hooks)
        # In columns without an index too, which production does not read through.
        refuse_collisions(work, new_collisions(before, self._collisions()))
        return work

    def _collisions(self) -> dict[str, str]:
        with transaction(self.connection) as cursor:
            return collisions(cursor)

    def _schema_before_half_done(self) -> Catalog | None:
        """The schema from before a migration that production has half applied, or None."""
        with transaction(self.connection) as cursor:
            half_done = open_journal(cursor)
            if half_done is None or half_done["direction"] != "apply":
                return None
            return Ledger().catalog(cursor, half_done["catalog_before"])

    def _rows_of_users(self, impact: Impact) -> list[str]:
        """Tables in which rows were changed, not counting the record of versions."""
        return self._without_books(impact["rows"])

    def _without_books(self, tables: Iterable[str]) -> list[str]:
        """Names of tables, without the record of versions."""
        with transaction(self.connection) as cursor:
            names = VersionTable(cursor).quoted_names()
        # Of one that went with its last version nothing but the name is known.
        return [table for table in tables if table not in names and not table.endswith(f".{self._books}")]

    def rows_in(self, content: Content | None) -> Json:
        """How many rows the application's tables have.

        Returns:
            {"rows", "tables": by name, of those that have most, "more": how many other tables have some}.
        """
        tables = content["tables"] if content else {}
        counts = {name: tables[name]["rows"] for name in self._without_books(tables) if tables[name]["rows"]}
        most = sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:TABLES_NAMED]
        return {"rows": sum(counts.values()), "tables": dict(most), "more": len(counts) - len(most)}

    def _edges(self) -> set[Edge]:
        with transaction(self.connection) as cursor:
            return dependency_edges(cursor)

    def _places(self) -> dict[str, Place]:
        with transaction(self.connection) as cursor:
            return columns_in_place(cursor)

    def _named(self, migration: Migration, what: str, direction: str) -> RefusedAs:
        script = Work(migration, direction).script["name"]
        return RefusedAs(f"Migration {migration['version']} {what}: ", script)

    def apply_all(
        self, migrations: Sequence[Migration], puts_back: bool = False, again: bool = False
    ) -> list[Work]:
        """As apply(), of all of them in one transaction."""
        self.hooks.restore_salvage = puts_back
        self.hooks.keeps_paths = again
        with self._named_together(migrations, "fail on the copy"), self.hooks.own_session():
            return apply_together(list(migrations), self.hooks)

    def roll_back_all(self, migrations: Sequence[Migration]) -> list[Work]:
        """As roll_back(), of all of them in one transaction, in the given order."""
        with self._named_together(migrations, "fail to roll back on the copy"), self.hooks.own_session():
            return roll_back_in_one_transaction(list(migrations), self.hooks)

    def _named_together(self, migrations: Sequence[Migration], what: str) -> RefusedAs:
        versions = ", ".join(migration["version"] for migration in migrations)
        return RefusedAs(f"Migrations {versions}, in one transaction, {what}: ", "their scripts")

    def _apply_again(self, migrations: Sequence[Migration], together: bool) -> Iterator[Work]:
        """For the last time, after which the copy is as production will be."""
        if together:
            yield from self.apply_all(migrations, puts_back=self.restore_salvage, again=True)
            return
        for migration in migrations:
            yield self.apply(migration, puts_back=self.restore_salvage, again=True)

    def rehearse(self, migrations: Sequence[Migration], together: bool = False) -> Json:
        """apply all, roll all back in reverse, compare after each, apply all again, compare again.

        Args:
            migrations: in order.
            together: whether all of that is done once more in one transaction each, as production will do it.

        Returns:
            dict: migrations (list of evidence in order of application) and catalogs (digest -> catalog).

        Raises:
            Refused: at the first step that fails or difference that is found.
        """
        stages: list[tuple[Catalog, Content | None]] = [self.state()]
        first_catalog, _ = stages[0]
        edges = self._edges()
        places = self._places()
        whole_before = self._schema_before_half_done()
        evidence = []
        for migration in migrations:
            clock = time.monotonic()
            work = self.apply(migration)
            catalog = work.after
            _, content = self.state()
            change = difference(stages[-1][0], catalog)
            edges_before, edges = edges, self._edges()
            places_before, places = places, self._places()
            gone = dropped(change.removed, places_before, places.values())
            evidence.append(
                {
                    "version": migration["version"],
                    "catalog_before": digest_of(stages[-1][0]),
                    "catalog_after": digest_of(catalog),
                    "apply_seconds": round(time.monotonic() - clock, 3),
                    "statements": work.statements,
                    "impact": {**work.impact, "salvage_returned": work.returned},
                    "uses": used_objects((stages[-1][0], edges_before), (catalog, edges)),
                    "dropped_tables": gone.tables,
                    "dropped_columns": gone.columns,
                    "schema_changes": schema_changes(change),
                    "read_in_part": work.notes["read_in_part"],
                }
            )
            stages.append((catalog, content))
        if whole_before is not None:
            # Its rows from before are in no copy any more; the schema is on record.
            stages[0] = (whole_before, None)
        self.left.all_applied()
        for position in range(len(migrations) - 1, -1, -1):
            evidence[position].update(
                self.prove_rollback(
                    migrations[position],
                    stages[position],
                    stages[position + 1][0],
                    evidence[position]["impact"],
                )
            )
        if together:
            rehearse_together(self, migrations, evidence, stages[0])
        applied = self._apply_again(migrations, together)
        catalogs = [catalog for catalog, _ in stages]
        earlier: list[Work] = []
        for position, (migration, work) in enumerate(zip(migrations, applied)):
            expected = _with_what_came_back(stages[position + 1][0], earlier)
            before = stages[position][0]
            lines = self.left.differing_again(expected, work.made, before, evidence[position]["residue"])
            if lines:
                raise Refused(
                    "rehearsal_second_apply_differs",
                    f"Migration {migration['version']}, applied again after its rollback, does not give the"
                    f" same schema as the first time: {listed(lines)}.",
                )
            if earlier:
                # Production, too, will be as it is then.
                stands = _with_what_came_back(stages[position][0], earlier)
                evidence[position].update(catalog_before=digest_of(stands), catalog_after=digest_of(expected))
                catalogs += [stands, expected]
            earlier.append(work)
            evidence[position]["reapplied_equal"] = True
            evidence[position]["read_in_part"] &= work.notes["read_in_part"]
            evidence[position]["salvage_returned"] = work.returned
            if any(one["salvage_returned"] for one in evidence[: position + 1]):
                # In production, too, this and the later migrations will meet the rows that came back.
                evidence[position]["impact_with_salvage"] = {**work.impact, "salvage_returned": work.returned}
        return {
            "migrations": evidence,
            "catalogs": {digest_of(catalog): catalog for catalog in (first_catalog, *catalogs)},
        }

    def prove_rollback(
        self,
        migration: Migration,
        before: tuple[Catalog, Content | None],
        catalog_applied: Catalog,
        impact: Impact,
    ) -> Json:
        """Roll back, and compare with what there was before.

        Args:
            migration: which is applied.
            before: what state() gave before it was; None for the content where nobody knows it.
            catalog_applied: the schema that it has made.
            impact: what was measured of it.

        Returns:
            evidence: what came back, and what it took.

        Raises:
            Refused: it fails, or does not give back what it should.
        """
        catalog_before, content_before = before
        clock = time.monotonic()
        work = self.roll_back(migration)
        catalog, content = self.state(only_columns=content_before)
        residue = self.left.of_schema(migration, catalog_before, catalog)
        impacts = [impact, work.impact]
        lost, not_compared, grown = self.left.of_rows(migration, content_before, content, impacts)
        residue = [*residue, *grown]
        return {
            "schema_restored": True,
            "residue": residue,
            "data_restored": False if lost else None if not_compared or not content_before else True,
            "not_given_back": lost,
            "not_compared": not_compared,
            "rollback_seconds": round(time.monotonic() - clock, 3),
            "rollback_statements": work.statements,
            "rollback_impact": work.impact,
            "rollback_changed": digest_of(catalog) != digest_of(catalog_applied)
            or bool(self._rows_of_users(work.impact))
            # There may be nothing that it could take back, or it is left already by an earlier one.
            or bool(residue or migration.get("leaves") or self.left.earlier(migration))
            or does_nothing(migration["apply"]),
            "rollback_read_in_part": work.notes["read_in_part"],
            "rows_in": self.rows_in(content_before),
            **_compared(content_before, content),
        }


def _with_what_came_back(catalog: Catalog, works: Iterable[Work]) -> Catalog:
    """The schema with what came back of users with these migrations, as privileges; the first time it was not there."""
    for work in works:
        catalog, _ = undone(catalog, work.after, work.made)
    return catalog


def _compared(before: Content | None, after: Content) -> Json:
    """How many rows were compared, and which sequences do not go on where they did."""
    if not before:
        return {"rows_compared": 0, "sequences_moved": {}}
    return {
        "rows_compared": sum(table["rows"] for table in before["tables"].values()),
        "sequences_moved": {
            name: [value, after["sequences"].get(name)]
            for name, value in before["sequences"].items()
            if after["sequences"].get(name) != value
        },
    }
