# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Deploy each migration, roll it back and deploy it again, from an empty database of one's own upwards."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from ...module_utils.backup.copy import CopyDatabase
from ...module_utils.backup.empty_databases import EmptyDatabases
from ...module_utils.errors import Refused, RunbookError
from ...module_utils.postgres.connection import PSYCOPG2_IMPORT_ERROR
from ...module_utils.rehearsal.generated_rows import refuse_too_many_rows, rehearse_on_generated_rows
from ...module_utils.rehearsal.rehearse_from_empty import FromEmpty
from ...module_utils.sentences import listed
from ..sql.library import SqlLibrary, read_sql_library
from .finding import ERROR, SCRIPT_WITHOUT_MIGRATION, Finding
from .scratch_server import scratch_server

__all__ = ["NOT_BEFORE", "Rehearsed", "rehearse", "stands_in_the_way"]

NOT_BEFORE = (
    "Nothing was rehearsed: a deploy would be refused for the errors, also for those that are accepted."
)

# What these reasons are about is the rollback's script, where none is named.
OF_ROLLBACKS = ("rehearsal_rollback_", "rollback_fails_", "rollback_loses_", "sequence_would_collide")

# The scratch server has nothing else, so that any will do.
NAME = "check"

# Errors of which a rehearsal knows nothing.
OF_THE_CHECK = ("lint_rule_broken", SCRIPT_WITHOUT_MIGRATION)


@dataclass(frozen=True)
class Rehearsed:
    """What came of it: what failed, if anything did, and a sentence about what was tried."""

    findings: tuple[Finding, ...]
    note: str


def stands_in_the_way(findings: Iterable[Finding]) -> bool:
    """Whether a deploy from the beginning would be refused before it begins."""
    return any(one.level == ERROR and one.code not in OF_THE_CHECK for one in findings)


def rehearse(options: dict[str, Any]) -> Rehearsed:
    """Rehearse all migrations of a folder in which nothing is wrong.

    Args:
        options: of the step: sql_dir, sql_layout, pg_bindir, sample_files, accept_data_loss, accept_residue,
            generated_rows, generated_rows_seed.

    Raises:
        Refused: there is no server, or so many rows cannot be made.
    """
    refuse_too_many_rows(options)
    if PSYCOPG2_IMPORT_ERROR is not None:
        raise Refused(
            "psycopg2_missing",
            "The Python package psycopg2, which connects to PostgreSQL, is missing on the controller. Nothing was"
            f" rehearsed. Install it: {sys.executable} -m pip install psycopg2-binary",
        )
    library = read_sql_library(options["sql_dir"], layout=options["sql_layout"])
    with scratch_server(options["pg_bindir"]) as target:
        databases = EmptyDatabases(CopyDatabase(target, NAME), {})
        with contextlib.closing(databases):
            tried = _from_empty(databases, library, options)
            on_rows = {} if tried.failures else _on_generated_rows(databases, tried, options)
    return _told(library, {**tried.failures, **on_rows}, tried, options)


def _from_empty(databases: EmptyDatabases, library: SqlLibrary, options: dict[str, Any]) -> FromEmpty:
    tried = FromEmpty(
        databases.anew(),
        library.payload(one.version for one in library.migrations),
        library.smoke_payload(),
        options["sample_files"],
        databases.anew,
        accept_data_loss=options["accept_data_loss"],
        accept_residue=options["accept_residue"],
    )
    tried.rehearse()
    return tried


def _on_generated_rows(
    databases: EmptyDatabases, tried: FromEmpty, options: dict[str, Any]
) -> dict[str, RunbookError]:
    """Once more on rows that are made up; what failed, by version."""
    try:
        rehearse_on_generated_rows(
            tried.connection,
            databases.copy.name,
            tried.migrations,
            list(tried.evidence.values()),
            options,
            from_empty=True,
            anew=databases.anew,
        )
    except Refused as refusal:
        if "failures" not in refusal.details:
            raise  # of the server, and of no migration
        return {
            one["migration"]: Refused(one["reason_code"], one["reason"])
            for one in cast("list[dict[str, str]]", refusal.details["failures"])
        }
    return {}


def _told(
    library: SqlLibrary, failures: Mapping[str, RunbookError], tried: FromEmpty, options: dict[str, Any]
) -> Rehearsed:
    untried = tried.untried
    findings = [_finding(library, version, error, bool(untried)) for version, error in failures.items()]
    proven = len(tried.migrations) - len(failures) - len(untried)
    on_rows = (
        ", the rollbacks on generated rows too" if options["generated_rows"] and not tried.failures else ""
    )
    note = (
        f"Rehearsed from an empty database: {proven} migration{'' if proven == 1 else 's'} deployed, rolled back"
        f" and deployed again{on_rows}"
    )
    if failures:
        note += f"; {len(failures)} failed: {', '.join(failures)}"
    if untried:
        left = [f"{version} (it requires {listed(missing, 3, ', ')})" for version, missing in untried.items()]
        note += f"; not tried: {listed(left, separator=', ')}"
    return Rehearsed(tuple(findings), note)


def _finding(library: SqlLibrary, version: str, error: RunbookError, hides: bool) -> Finding:
    migration = library.find(version)
    of_rollback = error.code.startswith(OF_ROLLBACKS) and migration.rollback
    script = str(error.details.get("script") or (of_rollback or migration.apply).name)
    line = cast(int, error.details.get("line") or 1)
    return Finding(ERROR, error.code, script, line, 0, error.reason, hides=hides)
