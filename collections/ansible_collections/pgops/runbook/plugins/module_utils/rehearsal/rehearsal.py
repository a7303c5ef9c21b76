# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rehearsal: migrations and rollbacks on a copy, with schema and data compared after each."""

from __future__ import annotations

import time

from ..catalog.application import read_schema
from ..catalog.dependencies import dependency_edges, used_objects
from ..catalog.difference import describe, difference
from ..content.difference import difference as content_difference
from ..content.differing_rows import differing_rows, in_words
from ..content.fingerprint import content_fingerprint
from ..digests import digest_of
from ..errors import Refused, StepFailed
from ..execution.one_by_one import begin_or_resume, is_journalled, run_journalled
from ..execution.script import LockPolicy, apply_migration, roll_back_migration, run_checks
from ..impact.meter import ImpactMeter
from ..impact.one_by_one import JournalledImpact
from ..impact.wal import SessionWal
from ..ledger.journal import open_journal
from ..ledger.ledger import Ledger
from ..ledger.versions import VersionTable
from ..library.changes import PathsBefore
from ..library.rehearsed import REHEARSAL
from ..postgres.connection import transaction
from ..postgres.sequences import collisions, new_collisions
from ..salvage.made_rows import MadeRows
from ..salvage.returning.returner import SalvageReturner
from ..salvage.watch import DestructionWatch, losses_to_json

__all__ = ["Rehearsal"]

LINES_SHOWN = 10


def _shown(lines):
    lines = list(lines)
    more = f"; and {len(lines) - LINES_SHOWN} more" if len(lines) > LINES_SHOWN else ""
    return "; ".join(lines[:LINES_SHOWN]) + more


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
    """

    def __init__(self, connection, smoke=(), restore_salvage=False, files_follow=False, production=None):
        self.connection = connection
        self.production = production
        self.smoke = list(smoke)
        self.restore_salvage = restore_salvage
        self.files_follow = files_follow

    def state(self, only_columns=None):
        """(catalog, content) of the copy now."""
        with transaction(self.connection) as cursor:
            return read_schema(cursor), content_fingerprint(cursor, only_columns=only_columns)

    def apply(self, migration, puts_back=False, again=False):
        """Apply, verify, put salvage back, smoke test; returns (catalog, statements, impact).

        Args:
            again: whether this is the last time, after which the copy is as production will be.
        """
        if is_journalled(migration["apply"]):
            return self._apply_journalled(migration, puts_back)
        wal = SessionWal(self.connection)
        with self._named(migration, "fails on the copy"), transaction(self.connection) as cursor:
            returner = SalvageReturner(cursor, "rehearsal", migration["version"], puts_back)
            returner.before()
            made = MadeRows(cursor, migration["version"], returner.tables())
            meter = ImpactMeter(cursor, with_sizes=True)
            paths = None
            if self.files_follow and migration.get("files"):
                # As in production, with the same lock; and a header that names no such column is found here.
                paths = PathsBefore(cursor, migration["files"])
            statements = apply_migration(cursor, migration, meter)
            impact = meter.result()
            catalog = read_schema(cursor)
            if puts_back:
                made.note()
            # The migration's own checks look at its own work; what users had made of it comes back after them.
            run_checks(cursor, [migration["verify"]] if migration.get("verify") else [])
            impact["salvage_returned"] = returner.after()
            if paths is not None and again:
                # A copy of a database that no run has changed yet has no ledger.
                Ledger().create(cursor)
                paths.record_changes(cursor, REHEARSAL, migration["version"], "deploy")
            run_checks(cursor, self.smoke)
            meter.held_until_now(impact)
        return catalog, statements, {**impact, "session_wal": wal.written()}

    def roll_back(self, migration):
        """Roll back and smoke test; returns (statements, impact).

        Raises:
            Refused: it fails, or leaves a sequence at values that its column has.
        """
        before = self._collisions()
        done = self._roll_back(migration)
        lines = new_collisions(before, self._collisions())
        if lines:
            raise Refused(
                "sequence_would_collide",
                f"Checklist item 'rollback tested on a copy': after the rollback of {migration['version']}"
                f" {_shown(lines)}.",
            )
        return done

    def _collisions(self):
        with transaction(self.connection) as cursor:
            return collisions(cursor)

    def _roll_back(self, migration):
        if is_journalled(migration["rollback"]):
            return self._roll_back_journalled(migration)
        with self._named(migration, "fails to roll back on the copy"), transaction(self.connection) as cursor:
            watch = DestructionWatch(cursor)
            meter = ImpactMeter(cursor, with_sizes=True)
            statements = roll_back_migration(cursor, migration, meter)
            impact = meter.result()
            impact["destroyed"] = losses_to_json(watch.losses())
            run_checks(cursor, self.smoke)
            meter.held_until_now(impact)
        return statements, impact

    def _apply_journalled(self, migration, puts_back):
        with self._named(migration, "fails on the copy"):
            with transaction(self.connection) as cursor:
                SalvageReturner(cursor, "rehearsal", migration["version"], puts_back).before()
            journal, statements, impact = self._run_journalled(migration, "apply")
            with transaction(self.connection) as cursor:
                VersionTable(cursor).record(migration["version"], migration["description"])
                journal.close(cursor)
                catalog = read_schema(cursor)
                run_checks(cursor, [migration["verify"]] if migration.get("verify") else [])
                returner = SalvageReturner(cursor, "rehearsal", migration["version"], puts_back)
                returner.choose()
                impact["salvage_returned"] = returner.after()
                run_checks(cursor, self.smoke)
        return catalog, statements, impact

    def _roll_back_journalled(self, migration):
        with self._named(migration, "fails to roll back on the copy"):
            with transaction(self.connection) as cursor:
                watch = DestructionWatch(cursor)
            journal, statements, impact = self._run_journalled(migration, "rollback")
            with transaction(self.connection) as cursor:
                # Of rows the statistics are gone with each statement's transaction: they are in the impact.
                impact["destroyed"] = losses_to_json(watch.losses(cursor))
                VersionTable(cursor).forget(migration["version"])
                journal.close(cursor)
                run_checks(cursor, self.smoke)
        return statements, impact

    def _run_journalled(self, migration, direction):
        ledger = Ledger()
        with transaction(self.connection) as cursor:
            ledger.create(cursor)
            journal, _ = begin_or_resume(cursor, ledger, "rehearsal", migration, direction)
        wal = SessionWal(self.connection)
        impact = JournalledImpact(with_sizes=True, note_destroyed=direction == "rollback")
        statements = run_journalled(
            self.connection, journal, migration[direction], LockPolicy(), impact=impact
        )
        return journal, statements, {**impact.result(), "session_wal": wal.written()}

    def _schema_before_half_done(self):
        """The schema from before a migration that production has half applied, or None."""
        with transaction(self.connection) as cursor:
            half_done = open_journal(cursor)
            if half_done is None or half_done["direction"] != "apply":
                return None
            return Ledger().catalog(cursor, half_done["catalog_before"])

    def _edges(self):
        with transaction(self.connection) as cursor:
            return dependency_edges(cursor)

    def _named(self, migration, what):
        return _RefusedAs(f"Migration {migration['version']} {what}: ")

    def rehearse(self, migrations):
        """apply all, roll all back in reverse, compare after each, apply all again, compare again.

        Returns:
            dict: migrations (list of evidence in order of application) and catalogs (digest -> catalog).

        Raises:
            Refused: at the first step that fails or difference that is found.
        """
        stages = [self.state()]
        found, _ = stages[0]
        edges = self._edges()
        whole_before = self._schema_before_half_done()
        evidence = []
        for migration in migrations:
            clock = time.monotonic()
            catalog, statements, impact = self.apply(migration)
            _, content = self.state()
            change = difference(stages[-1][0], catalog)
            edges_before, edges = edges, self._edges()
            evidence.append(
                {
                    "version": migration["version"],
                    "catalog_before": digest_of(stages[-1][0]),
                    "catalog_after": digest_of(catalog),
                    "apply_seconds": round(time.monotonic() - clock, 3),
                    "statements": statements,
                    "impact": impact,
                    "uses": used_objects((stages[-1][0], edges_before), (catalog, edges)),
                    "dropped_tables": _names(change.removed, "table"),
                    "dropped_columns": _names(change.removed, "column"),
                }
            )
            stages.append((catalog, content))
        if whole_before is not None:
            # Its rows from before are in no copy any more; the schema is on record.
            stages[0] = (whole_before, None)
        for position in range(len(migrations) - 1, -1, -1):
            evidence[position].update(
                self._prove_rollback(migrations[position], stages[position], stages[position + 1][0])
            )
        for position, migration in enumerate(migrations):
            catalog, _, impact = self.apply(migration, puts_back=self.restore_salvage, again=True)
            lines = describe(difference(stages[position + 1][0], catalog))
            if lines:
                raise Refused(
                    "rehearsal_second_apply_differs",
                    f"Migration {migration['version']}, applied again after its rollback, does not give the"
                    f" same schema: {_shown(lines)}.",
                )
            evidence[position]["reapplied_equal"] = True
            evidence[position]["salvage_returned"] = impact.get("salvage_returned", [])
            if any(one["salvage_returned"] for one in evidence[: position + 1]):
                # In production, too, this and the later migrations will meet the rows that came back.
                evidence[position]["impact_with_salvage"] = impact
        return {
            "migrations": evidence,
            "catalogs": {digest_of(catalog): catalog for catalog in (found, *(one for one, _ in stages))},
        }

    def _prove_rollback(self, migration, before, catalog_applied):
        catalog_before, content_before = before
        clock = time.monotonic()
        statements, impact = self.roll_back(migration)
        catalog, content = self.state(only_columns=content_before)
        version = migration["version"]
        lines = describe(difference(catalog_before, catalog))
        if lines:
            raise Refused(
                "rehearsal_rollback_schema_differs",
                f"Checklist item 'rollback tested on a copy': the rollback of {version} does not give back the"
                f" schema: {_shown(lines)}.",
            )
        problems = content_difference(content_before, content) if content_before else []
        if problems:
            rows = differing_rows(self.production, self.connection, content_before, problems)
            lines = [
                f"{found['table']}: {found['problem']} ({found['rows_before']} rows before,"
                f" {found['rows_after']} after){in_words(rows, found['table'])}"
                for found in problems
            ]
            raise Refused(
                "rehearsal_rollback_data_differs",
                f"Checklist item 'rollback tested on a copy': the rollback of {version} does not give back the"
                f" data: {_shown(lines)}.",
                tables=problems,
                rows=rows,
            )
        return {
            "schema_restored": True,
            "data_restored": True if content_before else None,
            "rollback_seconds": round(time.monotonic() - clock, 3),
            "rollback_statements": statements,
            "rollback_impact": impact,
            "rollback_changed": digest_of(catalog) != digest_of(catalog_applied)
            or bool(_rows_of_users(impact)),
            **_compared(content_before, content),
        }


def _compared(before, after):
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


def _names(keys, kind):
    """Names of the removed objects of one kind; the columns of a removed table are not named beside it."""
    tables = {key.split(" ", 1)[1] for key in keys if key.startswith("table ")}
    found = [key.split(" ", 1)[1] for key in keys if key.startswith(f"{kind} ")]
    return sorted(
        name for name in found if not name.startswith("order ") and name.rsplit(".", 1)[0] not in tables
    )


def _rows_of_users(impact):
    """Rows that were changed, not counting the record of versions."""
    return [table for table in impact["rows"] if not table.endswith(".schema_migrations")]


class _RefusedAs:
    """What fails on a copy is a refusal for production; the sentence says which migration it was."""

    def __init__(self, prefix):
        self.prefix = prefix

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if isinstance(error, StepFailed):
            raise Refused(
                error.code, self.prefix + error.reason + ". Production was not touched.", **error.details
            ) from None
        return False
