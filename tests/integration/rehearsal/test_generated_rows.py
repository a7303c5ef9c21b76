# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rollbacks are rehearsed on generated rows: what only shows where there are rows is found where there are none."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.generation.evidence import rows_seen
from ansible_collections.pgops.runbook.plugins.module_utils.rehearsal.generated_rows import (
    rehearse_on_generated_rows,
)
from ansible_collections.pgops.runbook.plugins.module_utils.rehearsal.rehearse_from_empty import (
    rehearse_from_empty,
)

from tests.integration.step_runs import StepRuns, migration

BOOK = migration(
    "001", ["CREATE TABLE book (id serial PRIMARY KEY, title text, pages int)"], ["DROP TABLE book"]
)


@pytest.fixture
def empty(connection: Any) -> Any:
    """An empty database, but for the record of versions."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE schema_migrations (version text PRIMARY KEY)")
    connection.commit()
    return connection


def chain(*migrations: dict) -> list[dict]:
    versions = [one["version"] for one in migrations]
    return [{"requires": versions[:place], **one} for place, one in enumerate(migrations)]


def rehearsed(
    connection: Any, *migrations: dict, rows: int = 20, consent: bool = False
) -> tuple[list[dict], Any]:
    """(evidence, what became of the generated rows) of all from an empty database."""
    wanted = chain(*migrations)
    evidence = rehearse_from_empty(connection, wanted, [], 1, accept_data_loss=consent)
    params = {
        "generated_rows": rows,
        "generated_rows_seed": 1,
        "accept_data_loss": consent,
        "accept_residue": False,
    }
    generated = rehearse_on_generated_rows(
        connection, connection.info.dbname, wanted, evidence, params, from_empty=True
    )
    return evidence, generated


LOSES = {
    "values are overwritten": (
        ["UPDATE book SET title = lower(title)"],
        ["SELECT 1"],
        "rollback_loses_generated_rows",
        r"With 20 generated rows a table \(seed 1\), among them public\.book \(20\): Checklist item 'rollback tested"
        r" on a copy': the rollback of 002 does not give back the data: public\.book: as many rows, with other values",
    ),
    "a column comes back empty": (
        ["ALTER TABLE book DROP pages"],
        ["ALTER TABLE book ADD pages int"],
        "rollback_loses_generated_rows",
        "the rollback of 002 does not give back the data",
    ),
    "rows are deleted": (
        ["DELETE FROM book WHERE pages IS NULL"],
        ["SELECT 1"],
        "rollback_loses_generated_rows",
        "rows fewer",
    ),
    "a type that is too narrow on the way back": (
        ["ALTER TABLE book ALTER pages TYPE text USING 'about ' || pages"],
        ["ALTER TABLE book ALTER pages TYPE int USING pages::int"],
        "rollback_fails_on_generated_rows",
        'Migration 002 fails to roll back on the copy: .*invalid input syntax for type integer: "about',
    ),
    "a sequence goes back": (
        ["CREATE TABLE shelf ()"],
        ["DROP TABLE shelf", "SELECT setval('book_id_seq', 1, false)"],
        "sequence_would_collide",
        r"sequence public\.book_id_seq would give 1 next",
    ),
    "the schema depends on the rows": (
        ["ALTER TABLE book ADD isbn text"],
        ["DO $$ BEGIN IF NOT EXISTS (SELECT FROM book) THEN ALTER TABLE book DROP isbn; END IF; END $$"],
        "rehearsal_rollback_schema_differs",
        r"column public\.book\.isbn: was not there before",
    ),
}


@pytest.mark.parametrize("kind", LOSES)
def test_what_shows_on_rows_only_is_found_in_an_empty_folder(empty: Any, kind: str) -> None:
    apply, rollback, code, reason = LOSES[kind]
    with pytest.raises(Refused, match=reason) as refused:
        rehearsed(empty, BOOK, migration("002", apply, rollback))
    assert refused.value.code == code


def test_and_without_generated_rows_it_is_not(empty: Any) -> None:
    apply, rollback, *_ = LOSES["values are overwritten"]
    evidence, generated = rehearsed(empty, BOOK, migration("002", apply, rollback), rows=0)
    assert generated is None
    assert [rows_seen(proof).rows for proof in evidence] == [0, 0], "and nobody calls it proven"


def test_a_column_that_an_earlier_migration_has_added_has_values(empty: Any) -> None:
    added = migration("002", ["ALTER TABLE book ADD isbn text"], ["ALTER TABLE book DROP isbn"])
    lossy = migration("003", ["ALTER TABLE book DROP isbn"], ["ALTER TABLE book ADD isbn text"])
    with pytest.raises(Refused, match="the rollback of 003 does not give back the data"):
        rehearsed(empty, BOOK, added, lossy)


def test_a_sound_rollback_is_proven_on_rows(empty: Any) -> None:
    sound = migration(
        "002",
        ["ALTER TABLE book RENAME title TO name", "CREATE TABLE shelf (book int REFERENCES book)"],
        ["DROP TABLE shelf", "ALTER TABLE book RENAME name TO title"],
    )
    (first, second), generated = rehearsed(empty, BOOK, sound)
    assert generated == {"rows": 20, "seed": 1, "filled": 2, "unfilled": {}, "ended": None}
    assert first["generated_rows"]["compared"] == {"rows": 0, "tables": {}, "more": 0}, (
        "there was no table before it"
    )
    assert first["generated_rows"]["over"] == {"rows": 40, "tables": {"public.book": 40}, "more": 0}
    assert second["generated_rows"]["compared"] == {"rows": 20, "tables": {"public.book": 20}, "more": 0}
    assert second["generated_rows"]["over"]["tables"] == {"public.book": 40, "public.shelf": 20}
    assert [rows_seen(proof).rows for proof in (first, second)] == [40, 60]
    with empty.cursor() as cursor:
        cursor.execute("SELECT to_regclass('book'), (SELECT count(*) FROM schema_migrations)")
        assert cursor.fetchone() == (None, 0), "all of it was taken back"


def test_a_migration_that_generated_rows_are_in_the_way_of_is_refused_for_nothing(empty: Any) -> None:
    knows_its_rows = migration(
        "002",
        ["ALTER TABLE book ADD isbn text NOT NULL", "ALTER TABLE book ADD CHECK (title = 'ours')"],
        ["ALTER TABLE book DROP isbn", "ALTER TABLE book DROP CONSTRAINT book_title_check"],
    )
    third = migration("003", ["ALTER TABLE book ADD n int"], ["ALTER TABLE book DROP n"])
    (_, second, last), generated = rehearsed(empty, BOOK, knows_its_rows, third)
    assert generated["ended"] is None
    assert 'column "isbn" of relation "book" contains null values' in second["generated_rows"]["not_applied"]
    assert second["generated_rows"]["compared"] is None
    assert last["generated_rows"]["compared"]["tables"] == {"public.book": 20}, (
        "filled anew, as the new schema asks"
    )


def test_a_rollback_may_refuse_to_go_over_rows_that_are_new(empty: Any) -> None:
    careful = migration(
        "002",
        ["ALTER TABLE book ADD isbn text"],
        [
            "DO $$ BEGIN IF EXISTS (SELECT FROM book WHERE isbn IS NOT NULL) THEN RAISE 'still in use'; END IF; END $$",
            "ALTER TABLE book DROP isbn",
        ],
    )
    (first, second), generated = rehearsed(empty, BOOK, careful)
    assert "still in use" in second["generated_rows"]["refuses"]
    assert second["generated_rows"]["compared"]["rows"] == 20
    assert generated["ended"] is None
    assert first["generated_rows"]["over"]["tables"] == {"public.book": 20}, "the others go on with rows"


def test_a_loss_that_is_declared_and_accepted_passes_and_is_named(empty: Any) -> None:
    lossy = {**migration("002", ["UPDATE book SET title = 'x'"], ["SELECT 1"]), "data_loss": "PARTIAL"}
    (_, second), _ = rehearsed(empty, BOOK, lossy, consent=True)
    assert second["generated_rows"]["not_given_back"] == [
        "public.book: as many rows, with other values (20 rows before, 20 after)"
    ]
    with pytest.raises(Refused, match="give -e accept_data_loss=002"):
        rehearsed(empty, BOOK, lossy)


def test_statements_that_commit_one_by_one(runs: StepRuns) -> None:
    runs.write(
        migrations__002_author="CREATE INDEX CONCURRENTLY bodies ON notes (body);",
        rollback__002_author_rollback="DROP INDEX bodies;",
        migrations__003_unique="CREATE UNIQUE INDEX CONCURRENTLY short ON notes ((body IS NULL));",
        rollback__003_unique_rollback="DROP INDEX IF EXISTS short;",
    )
    run = runs.another("rehearse", "all")
    run.must("preflight")
    run.migration = "pending"
    outputs = run.must("rehearse_from_empty")["outputs"]
    second, third = (one["generated_rows"] for one in outputs["migrations"][1:])
    assert second["compared"]["rows"] == 20
    assert "could not create unique index" in third["not_applied"]
    assert outputs["generated_rows"]["ended"] == "003 cannot be applied to generated rows"


# On a copy of production -----------------------------------------------------------------------------------

LOSSY_WHERE_LONG = {
    "migrations__002_author": "ALTER TABLE notes ADD COLUMN author text; UPDATE notes SET body = left(body, 4);",
    "rollback__002_author_rollback": "ALTER TABLE notes DROP COLUMN author;",
}


def test_what_productions_few_rows_do_not_show_is_found_on_a_copy_that_has_more(runs: StepRuns) -> None:
    runs.write(**LOSSY_WHERE_LONG)
    runs.up_to("verify_restore")
    refused = runs.step("rehearse", generated_rows=50)
    assert refused["reason_code"] == "rollback_loses_generated_rows"
    assert "With 50 generated rows a table (seed 1), among them public.notes (50)" in refused["msg"]
    assert runs.ask("SELECT count(*), max(id) FROM notes") == [(3, 3)], "production has none of them"


def test_by_default_a_copy_of_production_has_productions_rows_alone(runs: StepRuns) -> None:
    runs.write(**LOSSY_WHERE_LONG)
    outputs = runs.up_to("rehearse")["outputs"]
    assert outputs["generated_rows"] is None
    assert outputs["migrations"][0]["rows_in"] == {"rows": 3, "tables": {"public.notes": 3}, "more": 0}


def test_a_deploy_compares_with_the_rehearsal_on_productions_own_rows(runs: StepRuns) -> None:
    runs.write(
        migrations__002_author="ALTER TABLE notes ADD COLUMN author text; UPDATE notes SET author = 'a';"
    )
    runs.up_to("verify_restore")
    outputs = runs.must("rehearse", generated_rows=50)["outputs"]
    (proof,) = outputs["migrations"]
    assert proof["rows_in"]["rows"] == 3
    assert proof["impact"]["rows"]["public.notes"]["updated"] == 3
    assert proof["generated_rows"]["compared"] == {"rows": 50, "tables": {"public.notes": 50}, "more": 0}
    assert outputs["generated_rows"]["filled"] == 1
    runs.steps("apply", "verify")
    assert runs.ask("SELECT count(*), count(author) FROM notes") == [(3, 3)]


def test_more_rows_than_can_be_made_are_refused_before_anything(runs: StepRuns) -> None:
    runs.up_to("verify_restore")
    for rows in (-1, 10_001):
        refused = runs.step("rehearse", generated_rows=rows)
        assert refused["reason_code"] == "generated_rows_out_of_range"
