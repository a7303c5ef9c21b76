# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tables that belong to an extension and are in no dump."""

from __future__ import annotations

from typing import Any

from ansible_collections.pgops.runbook.plugins.module_utils.postgres.extension_tables import (
    has_rows,
    tables_not_dumped,
)

from tests.integration.postgres.every_kind import CONFIGURATION, MEMBERS, make_every_kind


def test_all_members_but_configuration_tables_are_meant(connection: Any) -> None:
    with connection.cursor() as cursor:
        make_every_kind(cursor)
        found = tables_not_dumped(cursor)
    assert {(one.schema, one.relation) for one in found} == MEMBERS - CONFIGURATION
    assert [one.extension for one in found] == ["hstore"]


def test_only_a_table_with_rows_is_named(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE EXTENSION hstore; CREATE TABLE filled (w text); INSERT INTO filled VALUES ('a')"
        )
        cursor.execute("CREATE TABLE empty (w text)")
        cursor.execute("ALTER EXTENSION hstore ADD TABLE filled; ALTER EXTENSION hstore ADD TABLE empty")
        assert [one.name for one in tables_not_dumped(cursor) if has_rows(cursor, one)] == ["public.filled"]
