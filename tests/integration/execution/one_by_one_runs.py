# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Running scripts statement by statement, with a journal and without a step around it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.pgops.runbook.plugins.module_utils.catalog.application import read_schema
from ansible_collections.pgops.runbook.plugins.module_utils.execution.hooks import Hooks, Work
from ansible_collections.pgops.runbook.plugins.module_utils.execution.one_by_one import (
    begin_or_resume,
    run_one_by_one,
)
from ansible_collections.pgops.runbook.plugins.module_utils.execution.script import LockPolicy
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.ledger import Ledger
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import (
    transaction,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.library import read_sql_library

ONCE = LockPolicy(timeout_seconds=1, attempts=1, pause_seconds=0)


BUILD = "CREATE INDEX CONCURRENTLY item_name ON item (name)"


def script_of(tmp_path: Path, text: Any, rollback: str = "DROP INDEX item_name;") -> Any:
    """The payload of a script, parsed as the controller does it."""
    for name in ("migrations", "rollback"):
        (tmp_path / name).mkdir(exist_ok=True)
    (tmp_path / "migrations" / "001_x.sql").write_text(text)
    (tmp_path / "rollback" / "001_x_rollback.sql").write_text(rollback)
    return read_sql_library(tmp_path).payload(["001"])[0]


def begin(connection: Any, migration: Any, direction: str = "apply") -> Any:
    with transaction(connection) as cursor:
        return begin_or_resume(cursor, Ledger(), "run", migration, direction, read_schema(cursor))[0]


class Here(Hooks):
    """Nothing is added, and no lock is waited for."""

    policy = ONCE

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @property
    def connection(self) -> Any:
        return self._connection


def run(
    connection: Any,
    migration: Any,
    journal: Any = None,
    direction: str = "apply",
    hooks: Any = None,
    impact: Any = None,
) -> Any:
    """Run what the journal does not have as done; a journal is begun or gone on with where none is given."""
    journal = journal or begin(connection, migration, direction)
    work = Work(migration, direction, one_by_one=True)
    return run_one_by_one(journal, work, hooks or Here(connection), impact)


def query(connection: Any, text: Any) -> Any:
    with transaction(connection) as cursor:
        cursor.execute(text)
        return cursor.fetchall()


VALIDITY = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('item_name')"
