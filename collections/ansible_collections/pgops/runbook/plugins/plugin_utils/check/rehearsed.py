# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Deploy each migration, roll it back and deploy it again, from an empty database of one's own upwards."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from ...module_utils.errors import Refused, RunbookError
from ...module_utils.postgres.connection import PSYCOPG2_IMPORT_ERROR, connect
from ...module_utils.rehearsal.rehearse_from_empty import rehearse_from_empty
from ..sql.library import SqlLibrary, read_sql_library
from .finding import ERROR, SCRIPT_WITHOUT_MIGRATION, Finding
from .scratch_server import scratch_server

__all__ = ["NOT_BEFORE", "Rehearsed", "rehearse", "stands_in_the_way"]

NOT_BEFORE = (
    "Nothing was rehearsed: a deploy would be refused for the errors, also for those that are accepted."
)

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
        options: of the step: sql_dir, sql_layout, pg_bindir, sample_files, accept_data_loss, accept_residue.

    Raises:
        Refused: there is no server.
    """
    if PSYCOPG2_IMPORT_ERROR is not None:
        raise Refused(
            "psycopg2_missing",
            "The Python package psycopg2, which connects to PostgreSQL, is missing on the controller. Nothing was"
            f" rehearsed. Install it: {sys.executable} -m pip install psycopg2-binary",
        )
    library = read_sql_library(options["sql_dir"], layout=options["sql_layout"])
    with scratch_server(options["pg_bindir"]) as target, contextlib.closing(connect(target)) as connection:
        try:
            evidence = rehearse_from_empty(
                connection,
                library.payload(one.version for one in library.migrations),
                library.smoke_payload(),
                options["sample_files"],
                options["accept_data_loss"],
                options["accept_residue"],
            )
        except RunbookError as error:
            return _failed(library, error)
    count = len(evidence)
    tried = f"{count} migration{'' if count == 1 else 's'} deployed, rolled back and deployed again"
    return Rehearsed((), f"Rehearsed from an empty database: {tried}")


def _failed(library: SqlLibrary, error: RunbookError) -> Rehearsed:
    """The one finding: what comes after it stands on it, and was not tried."""
    versions = [one.version for one in library.migrations]
    version = str(error.details.get("migration") or versions[0])
    migration = library.find(version)
    of_rollback = error.code.startswith("rehearsal_rollback_") and migration.rollback
    script = str(error.details.get("script") or (of_rollback or migration.apply).name)
    line = cast(int, error.details.get("line") or 1)
    finding = Finding(ERROR, error.code, script, line, 0, error.reason, hides=True)
    rest = len(versions) - versions.index(version) - 1
    return Rehearsed((finding,), f"The rehearsal ended at {version}; not tried: {rest} after it.")
