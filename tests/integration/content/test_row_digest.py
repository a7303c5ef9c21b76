# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The digest of rows is the same from release to release: what earlier runs have kept must compare with it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.content.fingerprint import content_fingerprint
from ansible_collections.pgops.runbook.plugins.module_utils.content.row_digest import (
    BUCKETS,
    bucket,
    digest_of_sums,
    row_text,
    sums,
    sums_as_text,
)
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.store.items import SalvageStore
from psycopg2 import sql


@pytest.fixture
def cursor(connection: Any) -> Iterator[Any]:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept (b text, a int); CREATE TABLE nothing (a int)")
        cursor.execute("INSERT INTO kept VALUES ('x', 1), (NULL, 2), ('', 2), ('é \"q\"', -7)")
        yield cursor


def value(cursor: Any, expression: Any, table: str) -> Any:
    query = sql.SQL("SELECT {} FROM (SELECT {} AS line FROM {}) AS rows")
    columns = ["b", "a"] if table == "kept" else ["a"]
    cursor.execute(query.format(expression, row_text(columns), sql.Identifier(table)))
    return cursor.fetchone()


def test_what_the_first_release_kept_still_compares(cursor: Any) -> None:
    """The values were written by the code as it was when each room had its own formula."""
    tables = content_fingerprint(cursor)["tables"]
    assert tables["public.kept"]["digest"] == (
        "f142dde2822eef313fab81ef2f030ed1faac26ef72bcd520e2acec4603e45ba5"
    )
    assert tables["public.nothing"]["digest"] == (
        "229ec0830376792e727e31b74a0f02831fba60316e9cab1cc57b94659ee975c6"
    )
    assert value(cursor, sums_as_text(), "kept") == ("4:-2418683140231160013:1273135892367090307",)
    assert value(cursor, sums_as_text(), "nothing") == ("0",)
    store = SalvageStore(cursor)
    store.create()
    item = store.begin_item("run", "002", "changed rows", ("public", "kept"))
    cursor.execute(
        "INSERT INTO runbook_salvage.kept_row (item, key, occurrence, kept)"
        " VALUES (%(item)s, '(1)', 1, '(1,x)'), (%(item)s, '(2)', 1, '(2,)')",
        {"item": item},
    )
    assert store.measure(item) == (
        2,
        9,
        "016cec8de697547d9c644195b90b1732d983ec33ea6be91029156b7bd12926e7",
    )


def test_the_digest_is_of_the_number_and_both_sums(cursor: Any) -> None:
    found = value(cursor, sums(), "kept")
    assert found[0] == 4
    assert value(cursor, sums_as_text(), "kept") == (":".join(map(str, found)),)
    assert digest_of_sums(found) == hashlib.sha256(":".join(map(str, found)).encode()).hexdigest()


def test_equal_rows_do_not_cancel_out(cursor: Any) -> None:
    seen = [value(cursor, sums(), "nothing")]
    for _ in range(4):
        cursor.execute("INSERT INTO nothing VALUES (1)")
        seen.append(value(cursor, sums(), "nothing"))
    assert len(set(seen)) == 5


def test_the_text_of_a_row_tells_null_from_empty_and_knows_no_order_of_columns(cursor: Any) -> None:
    cursor.execute(sql.SQL("SELECT {} FROM kept").format(row_text(["b", "a"])))
    texts = [text for (text,) in cursor.fetchall()]
    assert texts == ["(1,x)", "(2,)", '(2,"")', '(-7,"é ""q""")']
    cursor.execute(sql.SQL("SELECT {} FROM kept k").format(row_text(["a", "b"], "k")))
    assert [text for (text,) in cursor.fetchall()] == texts


def test_a_key_has_its_bucket_whatever_else_is_in_the_row(cursor: Any) -> None:
    cursor.execute(
        sql.SQL(
            "SELECT a, {} FROM (SELECT n AS a, n % 7 AS b FROM generate_series(1, 20000) AS n) AS t"
        ).format(bucket(["a"]))
    )
    buckets = dict(cursor.fetchall())
    assert set(buckets.values()) <= set(range(BUCKETS))
    assert len(set(buckets.values())) > BUCKETS * 0.9
    cursor.execute(sql.SQL("SELECT {} FROM (SELECT 'other' AS b, 17 AS a) AS t").format(bucket(["a"])))
    assert cursor.fetchone() == (buckets[17],)
