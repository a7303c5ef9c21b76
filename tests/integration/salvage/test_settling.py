# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""How rows are recognised when it is known what users had made of them and what the migration makes."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.session import pin_session
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.tables import table_facts
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.identity import Identity, identity_of
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.keeping.image import TableImage
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.keeping.settling import settled_identity
from psycopg2 import sql

NAME = ("public", "thing")


def settled(
    connection: Any,
    theirs: str,
    base: str,
    made: tuple[str, ...] = (),
    old_keys: list[list[str]] | None = None,
) -> Identity:
    """Of table thing (id, code, name, note), which the migration made, or of which it has made some columns."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE thing (id serial PRIMARY KEY, code int, name text, note text)")
        cursor.execute(f"INSERT INTO thing (code, name, note) VALUES {theirs}")
        pin_session(cursor, local=True)
        table = table_facts(cursor, NAME)
        assert table is not None
        identity = identity_of(cursor, table.oid, table.columns, made or table.columns)
        image = TableImage(cursor, table.oid, NAME, False, table.columns, identity, made)
        cursor.execute("TRUNCATE public.thing")
        if base:
            cursor.execute(f"INSERT INTO public.thing (code, name, note) VALUES {base}")
        cursor.execute("CREATE TEMPORARY TABLE shape AS SELECT * FROM public.thing WITH NO DATA")
        return settled_identity(cursor, image, table, sql.Identifier("pg_temp", "shape"), old_keys or [])


@pytest.mark.parametrize(
    ("theirs", "base", "made", "key"),
    [
        # A text that names the rows on both sides.
        ("(1, 'a', NULL), (2, 'b', NULL)", "(1, 'a', NULL), (2, 'b', NULL)", (), ["name"]),
        ("(1, 'a', NULL), (2, 'b', NULL)", "(1, 'a', NULL), (2, 'a', NULL)", (), ["code"]),
        # What users wrote into a column that is empty in all rows that the migration makes.
        ("(1, 'a', 'x'), (2, 'a', 'y')", "(1, 'a', NULL), (2, 'a', NULL)", (), ["code"]),
        # All of what there was before, where the table was there.
        ("(1, 'a', 'x'), (2, 'a', 'y')", "(1, 'a', NULL), (2, 'a', NULL)", ("id", "note"), ["code", "name"]),
        ("(1, 'a', 'x'), (2, 'b', 'y')", "(1, 'a', NULL), (2, 'b', NULL)", ("id", "note"), ["name"]),
        # Where the migration makes no rows nothing can be mistaken for one.
        ("(1, 'a', 'x'), (1, 'a', 'x')", "", (), ["id"]),
        ("(1, 'a', 'x'), (1, 'b', 'x')", "", (), ["name"]),
    ],
)
def test_rows_are_known_by_what_tells_them_apart_on_both_sides(
    connection: Any, theirs: str, base: str, made: tuple[str, ...], key: list[str]
) -> None:
    found = settled(connection, theirs, base, made)
    assert (found.key.columns, found.assigned, found.has_key) == (key, ["id"], True)
    assert found.by_content == (key not in (["name"], ["id"]))


def test_a_key_of_the_old_schema_tells_them_apart(connection: Any) -> None:
    found = settled(connection, "(1, 'a', 'x')", "(1, 'a', NULL)", ("id", "note"), [["id"], ["code"]])
    assert (found.key.columns, found.key.unique, found.has_key, found.by_content) == (
        ["code"],
        False,
        True,
        False,
    )
