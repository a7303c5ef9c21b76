# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Values that wait as text become values of their columns' types, and no cast of somebody's makes them so."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import psycopg2, sql
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.session import pin_session
from ansible_collections.pgops.runbook.plugins.module_utils.rows.difference import TableDifference
from ansible_collections.pgops.runbook.plugins.module_utils.rows.staged_types import StagedTypes
from ansible_collections.pgops.runbook.plugins.module_utils.rows.tables import in_common, read_relations

from tests.integration.step.hostile_types import types_and_casts


@pytest.fixture
def types(connection: Any) -> StagedTypes:
    cursor = connection.cursor()
    for statement in ("CREATE SCHEMA app", *types_and_casts("app")):
        cursor.execute(statement)
    cursor.execute(
        'CREATE DOMAIN app.known AS app.mood NOT NULL; CREATE TABLE t (a int, "%s" app.known, b app.pair, c varchar(2))'
    )
    pin_session(cursor, local=True)
    relations = read_relations(cursor)
    (table,) = in_common(relations, relations)
    made = StagedTypes(cursor, TableDifference(table, {}, 7))
    cursor.execute("CREATE TEMPORARY TABLE staged (c1 text, c2 text, c3 text, c4 text)")
    return made


def read(types: StagedTypes, connection: Any, *row: str | None) -> tuple:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO staged VALUES (%s, %s, %s, %s)", row)
        values = sql.SQL(", ").join(map(types.value, ("a", "%s", "b", "c")))
        cursor.execute(sql.SQL("SELECT {}, pg_typeof({}) FROM staged k").format(values, types.value("b")))
        return cursor.fetchone()


def test_each_is_read_by_its_own_type(types: StagedTypes, connection: Any) -> None:
    assert types.own == {"%s", "b"}
    assert read(types, connection, "1", "a", '(1,"x "" y,")', "too long") == (
        *(1, "a", '(1,"x "" y,")', "too long"),
        "app.pair",
    )


def test_null_is_null(types: StagedTypes, connection: Any) -> None:
    assert read(types, connection, None, "b", None, None) == (None, "b", None, None, "app.pair")


@pytest.mark.parametrize("text", ["x", None])
def test_what_a_type_does_not_take_is_refused(types: StagedTypes, connection: Any, text: str | None) -> None:
    with pytest.raises(psycopg2.DataError if text else psycopg2.IntegrityError):
        read(types, connection, "1", text, None, None)
