# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The declared shapes are those of the values that are really made."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.pgops.runbook.plugins.module_utils import shapes
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.receipts import make_receipt
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.library import read_sql_library

SQL = Path(__file__).resolve().parents[2] / "sql"


def test_a_migration_its_scripts_and_their_statements() -> None:
    library = read_sql_library(SQL)
    for migration in library.payload([one.version for one in library.migrations]):
        assert set(migration) == set(shapes.Migration.__annotations__)
        for kind in ("apply", "rollback", "verify", "sample"):
            script = migration[kind]
            if script is not None:
                assert set(script) == set(shapes.Script.__annotations__)
                assert script["statements"]
                for statement in script["statements"]:
                    assert set(statement) == set(shapes.Statement.__annotations__)


def test_a_receipt() -> None:
    identity = {"system_identifier": "1", "database": "app", "database_oid": 5}
    times = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z")
    receipt = make_receipt("run", "backup", "ok", *times, identity, "0" * 64)
    assert set(receipt) == set(shapes.Receipt.__annotations__)
