# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rehearsal: migrations and rollbacks on a copy, with schema and data compared after each."""

from __future__ import annotations

import time

from ansible_collections.pgops.runbook.plugins.module_utils.catalog_difference import describe, difference
from ansible_collections.pgops.runbook.plugins.module_utils.connection import transaction
from ansible_collections.pgops.runbook.plugins.module_utils.content import content_fingerprint
from ansible_collections.pgops.runbook.plugins.module_utils.content_difference import (
    difference as content_difference,
)
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused, StepFailed
from ansible_collections.pgops.runbook.plugins.module_utils.impact import ImpactMeter
from ansible_collections.pgops.runbook.plugins.module_utils.receipts import digest_of
from ansible_collections.pgops.runbook.plugins.module_utils.schema import read_schema
from ansible_collections.pgops.runbook.plugins.module_utils.script_execution import (
    apply_migration,
    check_script,
    roll_back_migration,
    undone_afterwards,
)

__all__ = ["Rehearsal", "run_checks"]

LINES_SHOWN = 10


def run_checks(cursor, scripts):
    """Run verify or smoke scripts, each undone afterwards."""
    for script in scripts:
        with undone_afterwards(cursor):
            check_script(cursor, script)


def _shown(lines):
    lines = list(lines)
    more = f"; and {len(lines) - LINES_SHOWN} more" if len(lines) > LINES_SHOWN else ""
    return "; ".join(lines[:LINES_SHOWN]) + more


class Rehearsal:
    """Migrations and their rollbacks on one copy.

    Args:
        connection: to the copy.
        smoke: smoke test scripts.
    """

    def __init__(self, connection, smoke=()):
        self.connection = connection
        self.smoke = list(smoke)

    def state(self, only_columns=None):
        """(catalog, content) of the copy now."""
        with transaction(self.connection) as cursor:
            return read_schema(cursor), content_fingerprint(cursor, only_columns=only_columns)

    def apply(self, migration):
        """Apply, verify, smoke test; returns (catalog, statements, impact)."""
        with self._named(migration, "fails on the copy"), transaction(self.connection) as cursor:
            meter = ImpactMeter(cursor, with_sizes=True)
            statements = apply_migration(cursor, migration, meter)
            impact = meter.result()
            catalog = read_schema(cursor)
            run_checks(cursor, [migration["verify"]] if migration.get("verify") else [])
            run_checks(cursor, self.smoke)
        return catalog, statements, impact

    def roll_back(self, migration):
        """Roll back and smoke test; returns (statements, impact)."""
        with self._named(migration, "fails to roll back on the copy"), transaction(self.connection) as cursor:
            meter = ImpactMeter(cursor, with_sizes=True)
            statements = roll_back_migration(cursor, migration, meter)
            impact = meter.result()
            run_checks(cursor, self.smoke)
        return statements, impact

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
        evidence = []
        for migration in migrations:
            clock = time.monotonic()
            catalog, statements, impact = self.apply(migration)
            _, content = self.state()
            change = difference(stages[-1][0], catalog)
            evidence.append(
                {
                    "version": migration["version"],
                    "catalog_before": digest_of(stages[-1][0]),
                    "catalog_after": digest_of(catalog),
                    "apply_seconds": round(time.monotonic() - clock, 3),
                    "statements": statements,
                    "impact": impact,
                    "dropped_tables": _names(change.removed, "table"),
                    "dropped_columns": _names(change.removed, "column"),
                }
            )
            stages.append((catalog, content))
        for position in range(len(migrations) - 1, -1, -1):
            evidence[position].update(
                self._prove_rollback(migrations[position], stages[position], stages[position + 1][0])
            )
        for position, migration in enumerate(migrations):
            catalog, *_ = self.apply(migration)
            lines = describe(difference(stages[position + 1][0], catalog))
            if lines:
                raise Refused(
                    f"Migration {migration['version']}, applied again after its rollback, does not give the"
                    f" same schema: {_shown(lines)}."
                )
            evidence[position]["reapplied_equal"] = True
        return {
            "migrations": evidence,
            "catalogs": {digest_of(catalog): catalog for catalog, _ in stages},
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
                f"Checklist item 'rollback tested on a copy': the rollback of {version} does not give back the"
                f" schema: {_shown(lines)}."
            )
        problems = content_difference(content_before, content)
        if problems:
            lines = [
                f"{found['table']}: {found['problem']} ({found['rows_before']} rows before,"
                f" {found['rows_after']} after)"
                for found in problems
            ]
            raise Refused(
                f"Checklist item 'rollback tested on a copy': the rollback of {version} does not give back the"
                f" data: {_shown(lines)}.",
                tables=problems,
            )
        return {
            "schema_restored": True,
            "data_restored": True,
            "rollback_seconds": round(time.monotonic() - clock, 3),
            "rollback_statements": statements,
            "rollback_impact": impact,
            "rollback_changed": digest_of(catalog) != digest_of(catalog_applied)
            or bool(_rows_of_users(impact)),
            "rows_compared": sum(table["rows"] for table in content_before["tables"].values()),
            "sequences_moved": {
                name: [value, content["sequences"].get(name)]
                for name, value in content_before["sequences"].items()
                if content["sequences"].get(name) != value
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
                self.prefix + error.reason + ". Production was not touched.", **error.details
            ) from None
        return False
