# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What of the migrations of a run is in the database."""

from __future__ import annotations

from tests.integration.step_runs import StepRuns

AUTHOR = "SELECT attname FROM pg_attribute WHERE attrelid = 'notes'::regclass AND attname = 'author'"


VERSIONS = "SELECT version FROM schema_migrations ORDER BY 1"


def applied(runs: StepRuns) -> bool:
    """Whether 002 is in place; schema, record and ledger must agree."""
    column, recorded = bool(runs.ask(AUTHOR)), ("002",) in runs.ask(VERSIONS)
    receipts = runs.ask(
        "SELECT FROM runbook.receipt WHERE step = 'apply' AND status = 'ok' AND migration = '002'"
    )
    assert column == recorded == bool(receipts)
    return column
