# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which partitioned tables get their rows back in other partitions."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.routed_rows import (
    read_routed,
    routed_names,
)

TYPES = """
    CREATE TYPE mood AS ENUM ('a', 'b'); CREATE DOMAIN mood_now AS mood; CREATE TYPE pair AS (n int, m mood);
    CREATE TYPE plain AS (n int, t text); CREATE TYPE span AS RANGE (subtype = mood);
    CREATE FUNCTION worse(mood) RETURNS mood IMMUTABLE LANGUAGE sql RETURN $1;"""


@pytest.fixture
def cursor(connection: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(TYPES)
        yield cursor


@pytest.mark.parametrize(
    ("column", "key", "routed"),
    [
        ("mood", "k", True),
        ("mood_now", "k", True),
        ("mood[]", "k", True),
        ("pair", "k", True),
        ("span", "k", True),
        ("regclass", "k", True),
        ("mood", "worse(k)", True),
        ("int", "k", False),
        ("text", "k", False),
        ("text[]", "k", False),
        ("plain", "k", False),
        ("int4range", "k", False),
        ("oid", "k", False),
        ("int", "(k + 1)", False),
        ("int", "i, k", False),
    ],
)
def test_what_is_hashed_by_a_number_of_its_database(cursor: Any, column: str, key: str, routed: bool) -> None:
    cursor.execute(f"CREATE TABLE t (i int, k {column}) PARTITION BY HASH ({key})")
    cursor.execute("CREATE TABLE t_0 PARTITION OF t FOR VALUES WITH (MODULUS 1, REMAINDER 0)")
    assert routed_names(cursor) == ({"public.t_0": "public.t"} if routed else {})


@pytest.mark.parametrize("strategy", ["LIST", "RANGE"])
def test_by_its_label_a_row_goes_to_the_same_partition(cursor: Any, strategy: str) -> None:
    cursor.execute(f"CREATE TABLE t (i int, k mood) PARTITION BY {strategy} (k)")
    cursor.execute("CREATE TABLE t_0 PARTITION OF t DEFAULT")
    assert read_routed(cursor) == {}


def test_the_topmost_such_table_stands_for_all_below_it(cursor: Any) -> None:
    cursor.execute(
        "CREATE TABLE root (i int, m mood) PARTITION BY LIST (i);"
        "CREATE TABLE one PARTITION OF root FOR VALUES IN (1) PARTITION BY HASH (m);"
        "CREATE TABLE two PARTITION OF root FOR VALUES IN (2);"
        "CREATE TABLE one_0 PARTITION OF one FOR VALUES WITH (MODULUS 1, REMAINDER 0) PARTITION BY HASH (m, i);"
        "CREATE TABLE one_0_0 PARTITION OF one_0 FOR VALUES WITH (MODULUS 1, REMAINDER 0)"
    )
    assert routed_names(cursor) == {"public.one_0": "public.one", "public.one_0_0": "public.one"}
    ((table, below),) = read_routed(cursor).items()
    cursor.execute("SELECT 'one'::regclass::oid, array['one_0'::regclass, 'one_0_0'::regclass]::oid[]::int[]")
    assert [(table, sorted(below))] == [(oid, sorted(oids)) for oid, oids in cursor.fetchall()]
