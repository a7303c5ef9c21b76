# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The generated documents of the library are those of its scripts as they are now.

After an edit of a script: ansible-playbook playbooks/rehearse.yml -e migration=all
"""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.report import (
    order_document as migration_order_document,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.report import (
    status_document as rollback_status_document,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.library import read_sql_library

SQL = Path(__file__).resolve().parents[3] / "sql"


@pytest.fixture(scope="module")
def library():
    return read_sql_library(SQL)


def test_the_order_of_migrations_is_the_one_in_their_headers(library):
    assert (SQL / "MIGRATION_ORDER.md").read_text(encoding="utf-8") == migration_order_document.render(
        library
    )


def test_every_rollback_is_proven_for_the_bytes_it_has_now(library):
    rows = {
        cells[0]: cells[1:]
        for line in (SQL / "ROLLBACK_STATUS.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| ")
        and len(cells := [cell.strip(" `") for cell in line.strip("|").split("|")]) == 8
    }
    assert len(library.migrations) == 10
    for migration in library.migrations:
        apply, rollback, *answers = rows[migration.stem]
        assert migration.apply.sha256.startswith(apply)
        assert migration.rollback.sha256.startswith(rollback)
        assert [answer for answer in answers if not answer.isdigit()] == ["yes"] * 4


def test_a_migration_without_evidence_is_not_called_proven(library):
    text = rollback_status_document.render(library, [])
    assert "Proven: 0 of 10." in text
    assert "| yes" not in text
