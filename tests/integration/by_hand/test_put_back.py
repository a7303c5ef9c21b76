# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which items have somewhere to go now, and what has to be done first for those that have not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.by_hand.items import find_item
from ansible_collections.pgops.runbook.plugins.module_utils.by_hand.put_back import check_put_back
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.shapes import Connection, Cursor

from tests.integration.by_hand.kept import keep_item


@pytest.fixture
def cursor(connection: Connection) -> Iterator[Cursor]:
    """A database in which 002 is applied and 003 is not."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE schema_migrations (version text PRIMARY KEY);"
            "INSERT INTO schema_migrations VALUES ('002');"
            "CREATE TABLE star (id int PRIMARY KEY, mark text)"
        )
        yield cursor


def check(cursor: Cursor, kind: str, **facts: Any) -> None:
    check_put_back(cursor, find_item(cursor, keep_item(cursor, kind, [("1", "(1,x)")], **facts))[0])


@pytest.mark.parametrize("migration", ["002", "003"])
@pytest.mark.parametrize("kind", ["dropped table", "sequence", "privileges", "enum labels", "large objects"])
def test_what_has_its_table_can_go_back(cursor: Cursor, kind: str, migration: str) -> None:
    check(cursor, kind, migration=migration)


WAITS, CHANGED = "salvage_item_waits_for_deploy", "salvage_table_changed"
MOON = ("public", "moon")


@pytest.mark.parametrize(
    ("kind", "facts", "code", "words"),
    [
        ("changed rows", {"migration": "003"}, WAITS, "goes back with the next deploy of migration 003"),
        ("dropped table", {"migration": "003", "table": MOON}, CHANGED, "Deploy migration 003"),
        ("dropped table", {"table": MOON}, CHANGED, "salvage_action=export"),
        ("dropped columns", {"columns": ("colour", "mark")}, CHANGED, "has no column colour."),
        ("changed rows", {"key_columns": ("code",)}, CHANGED, "has no column code."),
    ],
)
def test_what_has_nowhere_to_go_is_refused(
    cursor: Cursor, kind: str, facts: dict[str, Any], code: str, words: str
) -> None:
    with pytest.raises(Refused, match=words) as refused:
        check(cursor, kind, **facts)
    assert refused.value.code == code


def test_changed_rows_go_back_once_the_migration_is_applied(cursor: Cursor) -> None:
    check(cursor, "changed rows", migration="002")
