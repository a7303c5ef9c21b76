# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Scripts that commit one by one, in the form that one transaction allows."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import StepFailed
from ansible_collections.pgops.runbook.plugins.module_utils.execution.again import (
    apply_again,
    in_a_transaction,
)
from ansible_collections.pgops.runbook.plugins.module_utils.execution.hooks import Work
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.script import parse_script


def statements(text: str) -> Any:
    return [dataclasses.asdict(one) for one in parse_script(text, "x.sql").statements]


@pytest.mark.parametrize(
    ("script", "left"),
    [
        ('CREATE INDEX CONCURRENTLY i ON t ("concurrently")', 'CREATE INDEX i ON t ("concurrently")'),
        ("-- CONCURRENTLY\nCREATE UNIQUE INDEX CONCURRENTLY i ON t (a)", "CREATE UNIQUE INDEX i ON t (a)"),
        ("DROP INDEX CONCURRENTLY IF EXISTS i", "DROP INDEX IF EXISTS i"),
        ("UPDATE t SET a = 'INDEX CONCURRENTLY'", "UPDATE t SET a = 'INDEX CONCURRENTLY'"),
        ("VACUUM t", None),
        ("REINDEX INDEX CONCURRENTLY i", None),
        # The rollback has left the label.
        ("ALTER TYPE t ADD VALUE 'a'", "ALTER TYPE t ADD VALUE IF NOT EXISTS 'a'"),
    ],
)
def test_what_one_transaction_allows(script: str, left: str | None) -> None:
    found = [" ".join(one["sql"].split()) for one in in_a_transaction(statements(script))]
    assert [one.removeprefix("-- CONCURRENTLY ") for one in found] == ([] if left is None else [left])


def test_a_migration_that_cannot_be_read_cannot_be_applied_again() -> None:
    migration: Any = {"apply": {"name": "migrations/9.sql", "statements": []}}
    with pytest.raises(StepFailed, match=r"migrations/9\.sql has no statement"):
        apply_again(None, Work(migration, "rollback"))
