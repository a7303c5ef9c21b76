# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a restore would lack is named at once, each with a command that is quoted, and mended by these alone."""

from __future__ import annotations

import contextlib
from typing import Any

import psycopg2
from ansible_collections.pgops.runbook.plugins.module_utils.preflight.replacing import missing_to_replace

from tests.integration.step_runs import StepRuns

ROLE = "De-loy R.x"


def connect(runs: StepRuns, user: str) -> Any:
    return contextlib.closing(
        psycopg2.connect(host=runs.server.host, port=runs.server.port, user=user, dbname=runs.database)
    )


def missing(runs: StepRuns) -> list[str]:
    with connect(runs, ROLE) as connection, connection.cursor() as cursor:
        return missing_to_replace(cursor)


def test_all_is_named_at_once_and_mended_by_what_is_named(runs: StepRuns, admin: StepRuns) -> None:
    admin.execute(
        f'CREATE ROLE "{ROLE}" LOGIN',
        'CREATE ROLE "The Owner"',
        "CREATE ROLE app LOGIN",
        f'ALTER DATABASE {runs.database} OWNER TO "The Owner"',
    )
    try:
        with connect(runs, "app"), connect(runs, "app"):
            commands = [one.split(" types: ")[1] for one in missing(runs)]
            assert commands == [
                f'ALTER ROLE "{ROLE}" CREATEDB',
                f'GRANT "The Owner" TO "{ROLE}"',
                f'GRANT pg_signal_backend TO "{ROLE}"',
            ]
            admin.execute(*commands)
            assert missing(runs) == []
    finally:
        admin.execute(
            f"ALTER DATABASE {runs.database} OWNER TO CURRENT_USER", f'DROP ROLE "{ROLE}", "The Owner", app'
        )


def test_a_superuser_lacks_nothing(runs: StepRuns) -> None:
    with contextlib.closing(runs.server.connect(runs.database)) as connection, connection.cursor() as cursor:
        assert missing_to_replace(cursor) == []
