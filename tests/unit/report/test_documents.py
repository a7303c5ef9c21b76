# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The two documents of a folder of SQL: written where they have changed, and here those of the scripts as they are now.

After an edit of a script: ansible-playbook playbooks/rehearse.yml -e migration=all
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.report import (
    order_document as migration_order_document,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.report import (
    status_document as rollback_status_document,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.report.documents import (
    MIGRATION_ORDER,
    ROLLBACK_STATUS,
    write_documents,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.library import read_sql_library

SQL = Path(__file__).resolve().parents[3] / "sql"


@pytest.fixture(scope="module")
def library() -> Any:
    return read_sql_library(SQL)


def test_the_order_of_migrations_is_the_one_in_their_headers(library: Any) -> None:
    assert (SQL / "MIGRATION_ORDER.md").read_text(encoding="utf-8") == migration_order_document.render(
        library
    )


def test_every_rollback_is_proven_for_the_bytes_it_has_now(library: Any) -> None:
    rows = {
        cells[0]: cells[1:]
        for line in (SQL / "ROLLBACK_STATUS.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| ")
        and len(cells := [cell.strip(" `") for cell in line.strip("|").split("|")]) == 9
    }
    assert len(library.migrations) == 10
    for migration in library.migrations:
        apply, rollback, *answers = rows[migration.stem]
        assert migration.apply.sha256.startswith(apply)
        assert migration.rollback.sha256.startswith(rollback)
        assert [answer for answer in answers if not answer.split()[0].isdigit()] == ["yes"] * 4


def test_a_migration_without_evidence_is_not_called_proven(library: Any) -> None:
    text = rollback_status_document.render(library, [])
    assert "Proven: 0 of 10." in text
    assert "| yes" not in text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of SQL with one migration, and what a rehearsal saw of it."""
    for name in ("migrations/001_a.sql", "rollback/001_a_rollback.sql"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("SELECT 1;", encoding="utf-8")
    return tmp_path


EVIDENCE = {
    "version": "001",
    "schema_restored": True,
    "data_restored": True,
    "rows_compared": 3,
    "reapplied_equal": True,
    "schema_restored_with_users_rows": True,
}


def test_a_rollback_that_met_no_row_is_not_called_proven(folder: Path) -> None:
    library = read_sql_library(folder)
    empty = {**EVIDENCE, "rows_in": {"rows": 0, "tables": {}, "more": 0}}
    text = rollback_status_document.render(library, [empty])
    assert text.endswith("\nProven: 0 of 1.\nRehearsed without rows to compare, and so not proven: 001.\n")
    generated = {"compared": None, "over": {"rows": 20, "tables": {"t": 20}, "more": 0}}
    text = rollback_status_document.render(library, [{**empty, "generated_rows": generated}])
    assert "| 20 over it |" in text
    assert text.endswith("\nProven: 1 of 1.\n")


def test_both_documents_are_written_beside_the_migrations(folder: Path) -> None:
    order, status = folder / MIGRATION_ORDER, folder / ROLLBACK_STATUS
    assert write_documents(str(folder), [EVIDENCE]) == [str(order), str(status)]
    assert order.read_text(encoding="utf-8") == migration_order_document.render(read_sql_library(folder))
    assert "Proven: 1 of 1." in status.read_text(encoding="utf-8")


def test_a_document_that_says_the_same_is_left_alone(folder: Path) -> None:
    write_documents(str(folder), [EVIDENCE])
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*.md")}
    assert write_documents(str(folder), [EVIDENCE]) == []
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*.md")} == before
    assert write_documents(str(folder), []) == [str(folder / ROLLBACK_STATUS)], (
        "only the one that has changed"
    )
    assert "Proven: 0 of 1." in (folder / ROLLBACK_STATUS).read_text(encoding="utf-8")
