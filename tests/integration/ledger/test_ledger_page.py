# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""docs/ledger.md says what a fresh database says."""

from __future__ import annotations

from typing import Any

from ansible_collections.pgops.runbook.plugins.module_utils.ledger.upgrade import upgrade

from docs.ledger_page import PAGE, page_of


def test_the_page_is_that_of_a_fresh_database(connection: Any) -> None:
    with connection.cursor() as cursor:
        upgrade(cursor)
        assert PAGE.read_text(encoding="utf-8") == page_of(cursor), "make documents"


def test_the_page_changes_with_a_column_and_with_a_comment(connection: Any) -> None:
    with connection.cursor() as cursor:
        upgrade(cursor)
        page = page_of(cursor)
        cursor.execute("COMMENT ON COLUMN runbook.run.operator IS 'somebody'")
        assert page_of(cursor) == page.replace("| who started it |", "| somebody |") != page
        cursor.execute(
            "ALTER TABLE runbook.run ADD COLUMN mood text; COMMENT ON COLUMN runbook.run.mood IS 'blue'"
        )
        assert "| mood | text, or NULL | blue |" in page_of(cursor)
