# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the rows of a table are recognised."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.identity import Identity, identity_of
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.key import Key

ALL = ("id", "code", "name", "at")


def identity(connection: Any, table: str, made: tuple[str, ...] = (), rows: str = "") -> Identity:
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE thing ({table}); {rows}")
        cursor.execute("SELECT 'thing'::regclass::oid::bigint")
        oid = cursor.fetchone()[0]
        columns = [name for name in ALL if f"{name} " in table]
        return identity_of(cursor, oid, columns, made)


@pytest.mark.parametrize(
    ("table", "made", "key", "assigned", "numbered"),
    [
        ("code text PRIMARY KEY, name text", (), Key(["code"], True), [], False),
        ("id serial PRIMARY KEY, name text", (), Key(["id"], True), [], True),
        ("id serial PRIMARY KEY, code text NOT NULL UNIQUE", ("id", "code"), Key(["code"], True), ["id"], False),
        ("id serial PRIMARY KEY, name text UNIQUE", ("id", "name"), Key(["name"], False), ["id"], False),
        ("id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at int", ("id",), Key(["at"], False), ["id"], False),
        ("id uuid DEFAULT gen_random_uuid() PRIMARY KEY, code int UNIQUE NOT NULL", ("id",), Key(["code"], True),
         ["id"], False),
        ("id int DEFAULT 7 PRIMARY KEY, name text", ("id",), Key(["id"], True), [], False),
    ],
)  # fmt: skip
def test_a_key_that_the_migration_hands_out_names_nothing(
    connection: Any, table: str, made: tuple[str, ...], key: Key, assigned: list[str], numbered: bool
) -> None:
    found = identity(connection, table, made)
    assert (found.key, found.assigned, found.numbered, found.has_key) == (key, assigned, numbered, True)
    assert found.numbers == (assigned or (key.columns if numbered else []))


def test_without_a_key_a_row_is_its_content_but_for_what_is_handed_out(connection: Any) -> None:
    found = identity(connection, "name text, at timestamptz DEFAULT now()", ("name", "at"))
    assert (found.key, found.has_key, found.generated) == (Key(["name"], False), False, ["at"])
