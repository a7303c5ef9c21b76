# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Values of types that the application has made are written, read and compared without a cast of anybody's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.columns import (
    columns_of,
    own_type_columns,
)
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import sql
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.session import pin_session
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.values import equal, text_of
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.defaults import defaults_of

from tests.integration.step.hostile_types import types_and_casts

OWN = {
    **{
        "m": "app.mood",
        "s": "app.shade",
        "p": "app.pair",
        "r": "app.span",
        "rs": "app.spans",
        "ms": "app.mood[]",
    },
    **{
        "d": "app.dom",
        "dd": "app.dom_of_dom",
        "ds": "app.dom[]",
        "u": "app.uuid",
        "row": "app.kept",
        "no": "app.number[]",
    },
}
NOT_OWN = {
    **{
        "i": "int",
        "t": "text",
        "ts": "text[]",
        "j": "jsonb",
        "ir": "int4range",
        "n": "app.number",
        "nn": "app.other",
    },
    **{"vc": "varchar(5)", "c": "app.words", "x": "citext"},
}


@pytest.fixture
def cursor(connection: Any) -> Iterator[Any]:
    with connection.cursor() as cursor:
        for statement in ("CREATE SCHEMA app; CREATE EXTENSION citext", *types_and_casts("app")):
            cursor.execute(statement)
        cursor.execute(
            "CREATE DOMAIN app.dom_of_dom AS app.dom; CREATE DOMAIN app.number AS int;"
            " CREATE DOMAIN app.words AS text[]; CREATE DOMAIN app.other AS app.number;"
            " CREATE TYPE app.uuid AS ENUM ('a'); CREATE TABLE app.kept (a int)"
        )
        pin_session(cursor, local=True)
        yield cursor


def test_which_types_are_the_applications_own(cursor: Any) -> None:
    """A domain is what it is made of, an array what it holds; extensions are made by superusers."""
    columns = ", ".join(f"{name} {kind}" for name, kind in {**OWN, **NOT_OWN}.items()).replace(
        "citext", "public.citext"
    )
    cursor.execute(f"CREATE TABLE app.t ({columns})")
    assert own_type_columns(cursor, sql.Identifier("app", "t")) == set(OWN)


def test_a_type_that_has_the_name_of_another_one_is_not_taken_for_it(cursor: Any) -> None:
    cursor.execute("CREATE TABLE app.t (u app.uuid, n app.number, v pg_catalog.uuid, ts text[])")
    names = [column.type_name for column in columns_of(cursor, "app.t")]
    assert names == ["app.uuid", "app.number", "uuid", "_text"]


VALUES = ["'a'::app.mood", "NULL::app.mood", "'(1,x)'::app.pair", "'(,)'::app.pair", "'{a,NULL}'::app.mood[]"]


@pytest.mark.parametrize("value", [*VALUES, "'a'::app.dom", "'[1,3)'::app.span"])
def test_a_value_is_written_by_its_type(cursor: Any, value: str) -> None:
    cursor.execute(sql.SQL("SELECT {}, {}").format(sql.SQL(value), text_of(sql.SQL(value), own_type=True)))
    read, text = cursor.fetchone()
    assert text == read
    for other in ("'c'::app.mood", value):
        cursor.execute(sql.SQL("SELECT {}").format(equal(sql.SQL(value), sql.SQL(other), own_type=True)))
        assert cursor.fetchone()[0] is (None if text is None else other == value)


def test_a_default_that_a_cast_makes_is_none_that_is_known(cursor: Any) -> None:
    """What is written is then the text or the number that the cast takes, which is theirs."""
    cursor.execute(
        "CREATE TABLE app.t (a app.mood DEFAULT 'a', b app.mood DEFAULT -1::pg_catalog.int4, c app.dom DEFAULT 'b',"
        " d app.mood[] DEFAULT '{c}', e app.mood DEFAULT 'c'::text, f int DEFAULT 3,"
        " g app.mood DEFAULT '5'::int)"
    )
    cursor.execute("SELECT 'app.t'::regclass::oid::bigint")
    found = defaults_of(cursor, cursor.fetchone()[0], "abcdefg")
    assert found == {"a": "(a)", "c": "(b)", "d": "({c})", "f": "(3)"}
