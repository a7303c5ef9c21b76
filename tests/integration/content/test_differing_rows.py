# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A refused backup and a refused rollback name the rows and columns, by their keys, and no other value."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.content import differing_rows as subject
from ansible_collections.pgops.runbook.plugins.module_utils.content.difference import difference
from ansible_collections.pgops.runbook.plugins.module_utils.content.differing_rows import (
    differing_rows,
    in_words,
)
from ansible_collections.pgops.runbook.plugins.module_utils.content.fingerprint import content_fingerprint
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import transaction

from tests.integration.step_runs import StepRuns

# What a restore computes anew and the copy then has otherwise: a function that lies about being immutable.
LYING = (
    "CREATE FUNCTION told(id int) RETURNS text IMMUTABLE LANGUAGE sql AS"
    " $$ SELECT CASE WHEN id = 2 THEN current_database()::text ELSE 'secret' END $$",
    "ALTER TABLE notes ADD COLUMN told text GENERATED ALWAYS AS (told(id)) STORED",
)


def test_a_restored_copy_with_one_other_value_is_named_by_table_key_and_column(
    runs: StepRuns, admin: StepRuns
) -> None:
    runs.execute(*LYING)
    runs.up_to("backup")
    answer = runs.step("verify_restore")
    assert answer["msg"] == (
        "The rows of the restored backup are not those of production: public.notes: as many rows, with other values:"
        " 1 row changed in told, (id) = (2)."
    )
    (found,) = answer["details"]["rows"]
    assert (found["table"], found["columns"], found["as_expected"]) == ("public.notes", {"told": 1}, True)
    assert found["keys"] == [{"key": "(2)", "problem": "changed", "columns": ["told"]}]
    assert "secret" not in json.dumps(answer)
    assert runs.database not in json.dumps(answer["details"])


def test_rows_that_users_wrote_since_the_backup_are_named_with_a_warning(
    runs: StepRuns, admin: StepRuns
) -> None:
    runs.execute(*LYING)
    runs.up_to("backup")
    runs.execute("UPDATE notes SET body = 'since' WHERE id = 3", "INSERT INTO notes (body) VALUES ('new')")
    answer = runs.step("verify_restore")
    (found,) = answer["details"]["rows"]
    assert found["as_expected"] is False
    assert {row["key"]: row["problem"] for row in found["keys"]} == {
        "(2)": "changed",
        "(3)": "changed",
        "(4)": "gone",
    }
    assert answer["msg"] == (
        "The rows of the restored backup are not those of production: public.notes: as many rows, with other values:"
        " 2 rows changed in body, told, 1 row gone, (id) = (2), (3), (4) (compared with production at"
        f" {found['compared']}: what was written there since is among them)."
    )


def test_a_rollback_that_does_not_restore_three_rows_names_them_and_the_column(
    runs: StepRuns, admin: StepRuns
) -> None:
    runs.execute("INSERT INTO notes (body) SELECT 'secret' FROM generate_series(4, 20)")
    runs.write(
        migrations__002_author="UPDATE notes SET body = upper(body); ALTER TABLE notes ADD COLUMN author text;",
        rollback__002_author_rollback="UPDATE notes SET body = CASE WHEN id IN (7, 8, 19) THEN body"
        " WHEN id > 3 THEN lower(body) WHEN id = 1 THEN 'one' WHEN id = 3 THEN 'drei' END;"
        " ALTER TABLE notes DROP COLUMN author;",
    )
    runs.up_to("verify_restore")
    answer = runs.step("rehearse")
    assert answer["msg"] == (
        "Checklist item 'rollback tested on a copy': the rollback of 002 does not give back the data:"
        " public.notes: as many rows, with other values (20 rows before, 20 after): 3 rows changed in body,"
        " (id) = (19), (7), (8). Correct the rollback script. If these rows need not come back, declare it"
        " in the migration's header (-- Data Loss: PARTIAL) and give -e accept_data_loss=002."
    )
    (found,) = answer["details"]["rows"]
    assert (found["as_expected"], found["columns"]) == (True, {"body": 3})
    assert "secret" not in json.dumps(answer).lower()


def test_the_second_of_a_chain_is_compared_with_what_production_has_not_yet(
    runs: StepRuns, admin: StepRuns
) -> None:
    runs.migration = "pending"
    runs.write(
        migrations__003_shelf="UPDATE notes SET author = 'x' WHERE id = 2; CREATE TABLE shelf (id int);",
        rollback__003_shelf_rollback="DROP TABLE shelf;",
    )
    runs.up_to("verify_restore")
    answer = runs.step("rehearse")
    assert "(nothing tells which rows: production has no such table, or not these columns)" in answer["msg"]


@pytest.fixture
def two(server: Any, database: str, connection: Any) -> Any:
    """Connections to a database and to its copy, and the fingerprint that the copy should have."""
    with transaction(connection) as cursor:
        cursor.execute(
            "CREATE TABLE bag (word text, n int); INSERT INTO bag SELECT 'secret', n FROM generate_series(1, 9) n"
        )
        cursor.execute("CREATE TABLE pair (b int, a text, v int, PRIMARY KEY (b, a))")
        cursor.execute("INSERT INTO pair SELECT n, 'k' || n, n FROM generate_series(1, 40) n")
        cursor.execute(
            "CREATE MATERIALIZED VIEW seen AS SELECT 1 AS one; CREATE TABLE bare (); INSERT INTO bare DEFAULT VALUES"
        )
        expected = content_fingerprint(cursor)
    connection.close()
    with contextlib.closing(server.connect("postgres")) as outside:
        outside.autocommit = True
        outside.cursor().execute(f"CREATE DATABASE {database}_copy TEMPLATE {database}")
        with (
            contextlib.closing(server.connect(database)) as production,
            contextlib.closing(server.connect(f"{database}_copy")) as copy,
        ):
            yield production, copy, expected
        outside.cursor().execute(f"DROP DATABASE {database}_copy WITH (FORCE)")


def located(two: Any, *statements: str) -> list[dict[str, Any]]:
    production, copy, expected = two
    with transaction(copy) as cursor:
        for statement in statements:
            cursor.execute(statement)
        problems = difference(expected, content_fingerprint(cursor))
    assert problems
    return differing_rows(production, copy, expected, problems)


def test_many_rows_are_counted_and_ten_are_named(two: Any) -> None:
    found = located(two, "UPDATE pair SET v = 0")
    words = in_words(found, "public.pair")
    assert words.startswith(": 40 rows changed in v, (a, b) = (k1,1), (k10,10), ")
    assert words.endswith(" and 30 more")
    assert len(found[0]["keys"]) == 10


def test_rows_without_a_key_are_counted_and_their_columns_named(two: Any) -> None:
    found = located(two, "UPDATE bag SET n = 0 WHERE n < 3")
    assert in_words(found, "public.bag") == (
        ": 2 rows gone, 2 rows new, no key tells them apart, and the values differ in n"
    )
    assert "secret" not in json.dumps(found)


def test_where_production_went_on_to_the_same_rows_it_says_so(two: Any) -> None:
    with transaction(two[0]) as cursor:
        cursor.execute("UPDATE pair SET v = 0 WHERE b = 1")
    found = located(two, "UPDATE pair SET v = 0 WHERE b = 1")
    assert (
        in_words(found, "public.pair")
        == f" (production has the rows of the copy by now, {found[0]['compared']})"
    )


@pytest.mark.parametrize(
    ("statement", "table", "words"),
    [
        (
            "INSERT INTO bare DEFAULT VALUES",
            "public.bare",
            " (nothing tells which rows: the table has no columns)",
        ),
        (
            "REFRESH MATERIALIZED VIEW seen WITH NO DATA",
            "public.seen",
            " (nothing tells which rows: the materialized view is not populated)",
        ),
        ("DROP TABLE pair", "public.pair", ""),
        ("SELECT lo_from_bytea(0, 'x')", "large objects", ""),
    ],
)
def test_where_there_are_no_rows_to_name(two: Any, statement: str, table: str, words: str) -> None:
    assert in_words(located(two, statement), table) == words


def test_the_refusal_stands_when_production_does_not_answer(two: Any) -> None:
    two[0].close()
    found = located(two, "UPDATE pair SET v = 0")
    assert in_words(found, "public.pair") == " (nothing tells which rows: connection already closed)"
    assert differing_rows(None, two[1], two[2], []) == []


def test_a_table_that_is_locked_in_production_is_not_waited_for(server: Any, database: str, two: Any) -> None:
    with contextlib.closing(server.connect(database)) as other:
        other.cursor().execute("LOCK TABLE pair IN ACCESS EXCLUSIVE MODE")
        found = located(two, "UPDATE pair SET v = 0")
    assert found == [{"table": "public.pair", "not_compared": "canceling statement due to lock timeout"}]


def test_of_more_tables_than_are_looked_at_the_others_say_that_they_were_not(
    two: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "TABLES_LOOKED_AT", 0)
    found = located(two, "UPDATE pair SET v = 0")
    assert found == [{"table": "public.pair", "not_compared": "the rows of 0 tables before it were"}]
    assert (
        in_words(found, "public.pair") == " (nothing tells which rows: the rows of 0 tables before it were)"
    )
