# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Statements in batches: each of them committed, none with too many rows, gone on with after a kill."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused, StepFailed
from ansible_collections.pgops.runbook.plugins.module_utils.execution.batches import Batches
from ansible_collections.pgops.runbook.plugins.module_utils.impact.one_by_one import ImpactOneByOne
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.aftermath import committed_of_script
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.journal import open_journal
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import transaction

from demo.local_server import LocalServer
from tests.integration.execution.one_by_one_runs import Here, query, run, script_of

ROWS = 3000


@pytest.fixture
def filled(table: Any) -> Any:
    """The table with many rows, in some twenty pages, a third of which has a value already."""
    with transaction(table) as cursor:
        cursor.execute("ALTER TABLE item ADD size int; TRUNCATE item")
        cursor.execute(
            f"INSERT INTO item SELECT n, 'item ' || n, CASE WHEN n % 3 = 0 THEN 0 END FROM generate_series(1, {ROWS}) n"
        )
        # Notes in which transaction a row was changed, and how many at once.
        cursor.execute("CREATE TABLE batch (rows int)")
        cursor.execute(
            "CREATE FUNCTION count_batch() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN INSERT INTO public.batch SELECT count(*) FROM old_rows; RETURN NULL; END $$"
        )
        for event in ("UPDATE", "DELETE"):
            cursor.execute(
                f"CREATE TRIGGER count_{event} AFTER {event} ON item REFERENCING OLD TABLE AS old_rows"
                " FOR EACH STATEMENT EXECUTE FUNCTION count_batch()"
            )
    return table


class Stops(Here):
    """Stops after so many batches, as a kill does: nothing is tidied up."""

    def __init__(self, connection: Any, after: int) -> None:
        super().__init__(connection)
        self.left = after

    def between_batches(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


FILL = "-- Batches: 400 rows\nUPDATE item SET size = length(name) WHERE size IS NULL;"


def test_each_batch_is_committed_and_has_no_more_rows_than_the_header_says(
    filled: Any, tmp_path: Path
) -> None:
    impact = ImpactOneByOne()
    (timing,) = run(filled, script_of(tmp_path, FILL), impact=impact)
    assert timing["rows"] == ROWS * 2 // 3
    batches = [rows for (rows,) in query(filled, "SELECT rows FROM batch")]
    assert sum(batches) == ROWS * 2 // 3
    assert max(batches) <= 400
    assert timing["batches"] == len(batches) >= 5
    assert len(query(filled, "SELECT DISTINCT xmin::text FROM batch")) == len(batches), (
        "transactions of their own"
    )
    assert query(filled, "SELECT count(*) FROM item WHERE size <> length(name) AND id % 3 <> 0") == [(0,)]
    assert query(filled, "SELECT count(*) FROM item WHERE size = 0") == [(ROWS // 3,)]
    assert impact.result()["rows"]["public.item"]["updated"] == ROWS * 2 // 3


def test_rows_are_deleted_in_batches_too(filled: Any, tmp_path: Path) -> None:
    (timing,) = run(filled, script_of(tmp_path, "-- Batches: 400 rows\nDELETE FROM item;"))
    assert query(filled, "SELECT count(*) FROM item") == [(0,)]
    assert max(rows for (rows,) in query(filled, "SELECT rows FROM batch")) <= 400
    assert timing["batches"] > 5


def test_what_a_kill_has_left_is_done_by_the_next_run(filled: Any, tmp_path: Path) -> None:
    migration = script_of(tmp_path, FILL)
    with pytest.raises(KeyboardInterrupt):
        run(filled, migration, hooks=Stops(filled, 2))
    filled.rollback()
    done = query(filled, "SELECT count(*) FROM item WHERE size > 0")[0][0]
    assert 0 < done < ROWS * 2 // 3
    with transaction(filled) as cursor:
        assert open_journal(cursor)["done"] == 0
    (timing,) = run(filled, migration)
    assert timing["rows"] == ROWS * 2 // 3 - done
    assert query(filled, "SELECT count(*) FROM item WHERE size IS NULL") == [(0,)]


def test_what_an_earlier_run_committed_is_not_forgotten_where_the_next_one_gets_no_further(
    filled: Any, tmp_path: Path
) -> None:
    migration = script_of(tmp_path, FILL)
    with pytest.raises(KeyboardInterrupt):
        run(filled, migration, hooks=Stops(filled, 2))
    filled.rollback()
    with transaction(filled) as cursor:
        assert open_journal(cursor)["batches"] == 2
        cursor.execute("ALTER TABLE item ADD CONSTRAINT none CHECK (size IS NULL) NOT VALID")
    for _ in range(2):
        with pytest.raises(
            StepFailed, match="0 of 1 statements and 2 batches of the one at line 2 are committed"
        ):
            run(filled, migration)
    with transaction(filled) as cursor:
        assert committed_of_script(open_journal(cursor)).endswith(
            "committed, and 2 batches of the one at line 2"
        )
        cursor.execute("ALTER TABLE item DROP CONSTRAINT none")
    with pytest.raises(Refused, match="was edited after it had been committed"):
        run(filled, script_of(tmp_path, FILL.replace("length(name)", "length(name) * 2")))
    run(filled, migration)
    assert query(filled, "SELECT count(*) FROM item WHERE size IS NULL") == [(0,)]


def test_a_failure_says_what_is_committed(filled: Any, tmp_path: Path) -> None:
    text = f"-- Batches: 400 rows\nUPDATE item SET size = 1 / ({ROWS} - id) WHERE size IS NULL;"
    with pytest.raises(
        StepFailed,
        match=r"line 2: division by zero.*0 of 1 statements and \d+ batches of the one at line 2 are committed",
    ):
        run(filled, script_of(tmp_path, text.replace(str(ROWS), str(ROWS - 1))))
    assert query(filled, "SELECT count(*) FROM item WHERE size IS NULL")[0][0] > 0


def test_where_the_first_batch_fails_nothing_is_half_done(filled: Any, tmp_path: Path) -> None:
    text = "-- Batches: 400 rows\nUPDATE item SET size = 1 / (id - 1) WHERE size IS NULL;"
    with pytest.raises(StepFailed, match="None of the 1 statements was committed"):
        run(filled, script_of(tmp_path, text))
    assert query(filled, "SELECT count(*) FROM runbook.journal_statement") == [(0,)]


def test_a_where_that_finds_what_was_changed_is_refused(filled: Any, tmp_path: Path) -> None:
    text = "-- Batches: 400 rows\nUPDATE item SET name = name || '!' WHERE name LIKE 'item%';"
    with pytest.raises(StepFailed, match="the WHERE of this UPDATE still found rows") as error:
        run(filled, script_of(tmp_path, text))
    assert error.value.code == "batches_never_end"


def test_where_others_write_rows_are_looked_for_again(filled: Any, tmp_path: Path) -> None:
    """Who writes as fast as batches change holds nobody up, and nothing that was there is left out."""

    class Busy(Here):
        others_write = True
        number = ROWS

        def between_batches(self) -> None:
            self.number += 1
            with self.connection.cursor() as cursor:
                cursor.execute("INSERT INTO item (id, name) VALUES (%s, 'new')", (self.number,))

    run(filled, script_of(tmp_path, FILL), hooks=Busy(filled))
    assert query(filled, f"SELECT count(*) FROM item WHERE size IS NULL AND id <= {ROWS}") == [(0,)]


def test_a_row_that_moves_to_an_earlier_page_is_not_missed(
    filled: Any, tmp_path: Path, server: LocalServer, database: str
) -> None:
    with transaction(filled) as cursor:
        cursor.execute("DELETE FROM item WHERE id < 500")
    filled.autocommit = True
    filled.cursor().execute("VACUUM item")
    filled.autocommit = False

    class Moves(Here):
        others_write = True
        moved = False

        def between_batches(self) -> None:
            if not self.moved:
                with contextlib.closing(server.connect(database)) as other, other.cursor() as cursor:
                    cursor.execute("UPDATE item SET name = name || repeat('x', 40) WHERE size IS NULL")
                    other.commit()
                self.moved = True

    hooks = Moves(filled)
    run(filled, script_of(tmp_path, FILL), hooks=hooks)
    assert hooks.moved
    assert query(filled, "SELECT count(*) FROM item WHERE size IS NULL") == [(0,)]


@pytest.mark.parametrize("only", ["", "ONLY "])
def test_partitions_and_children_are_gone_through_together(table: Any, tmp_path: Path, only: str) -> None:
    with transaction(table) as cursor:
        cursor.execute("CREATE TABLE place (id int, size int) PARTITION BY RANGE (id)")
        for low in (0, 1000, 2000):
            cursor.execute(
                f"CREATE TABLE place_{low} PARTITION OF place FOR VALUES FROM ({low}) TO ({low + 1000})"
            )
        cursor.execute("INSERT INTO place SELECT n FROM generate_series(0, 2999) n")
        cursor.execute("CREATE TABLE old (id int, size int); CREATE TABLE older () INHERITS (old)")
        cursor.execute(
            "INSERT INTO old SELECT n FROM generate_series(1, 500) n; INSERT INTO older SELECT * FROM old"
        )
    text = (
        "-- Batches: 300 rows\nUPDATE place SET size = 1 WHERE size IS NULL;"
        f"UPDATE {only}old AS o SET size = 1 WHERE o.size IS NULL;"
    )
    timings = run(table, script_of(tmp_path, text))
    assert [timing["rows"] for timing in timings] == [3000, 500 if only else 1000]
    assert query(table, "SELECT count(*) FROM place WHERE size IS NULL") == [(0,)]


def test_an_empty_table_has_no_batch(filled: Any, tmp_path: Path) -> None:
    with transaction(filled) as cursor:
        cursor.execute("TRUNCATE item")
    (timing,) = run(filled, script_of(tmp_path, FILL))
    assert (timing["rows"], timing["batches"]) == (0, 0)
    assert (timing["wal_bytes"], timing["locks"], timing["rewritten"]) == (0, [], []), "as of any other"


def test_settings_of_the_script_hold_in_each_batch(filled: Any, tmp_path: Path) -> None:
    update = "UPDATE public.item SET size = widths() WHERE size IS NULL;"
    text = f"-- Batches: 400 rows\nSET search_path = elsewhere; {update}"
    with transaction(filled) as cursor:
        cursor.execute("CREATE SCHEMA elsewhere; CREATE FUNCTION elsewhere.widths() RETURNS int RETURN 7")
    _, timing = run(filled, script_of(tmp_path, text))
    assert timing["rows"] == ROWS * 2 // 3


def test_hostile_operators_are_not_called(filled: Any, tmp_path: Path) -> None:
    """What is added to the statement is PostgreSQL's own, whatever the script's search_path says."""
    with transaction(filled) as cursor:
        cursor.execute(
            "CREATE FUNCTION never(tid, tid) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE 'called'; END $$;"
            "CREATE OPERATOR >= (FUNCTION = never, LEFTARG = tid, RIGHTARG = tid);"
            "CREATE OPERATOR < (FUNCTION = never, LEFTARG = tid, RIGHTARG = tid);"
            "CREATE FUNCTION to_regclass(text) RETURNS regclass LANGUAGE plpgsql AS $$ BEGIN RAISE 'called'; END $$"
        )
    text = FILL.replace("\n", "\nSET search_path = public, pg_catalog;\n")
    _, timing = run(filled, script_of(tmp_path, text))
    assert timing["rows"] == ROWS * 2 // 3


def test_odd_text_is_taken_as_it_is(filled: Any, tmp_path: Path) -> None:
    text = (
        "-- Batches: 400 rows\nUPDATE item SET name = '100 % {} %s' WHERE name LIKE 'item %' -- the rest\n;"
    )
    (timing,) = run(filled, script_of(tmp_path, text))
    assert timing["rows"] == ROWS
    assert query(filled, "SELECT DISTINCT name FROM item") == [("100 % {} %s",)]


def test_a_page_with_more_rows_than_a_batch_is_one_batch(table: Any, tmp_path: Path) -> None:
    with transaction(table) as cursor:
        cursor.execute(
            "CREATE TABLE tiny (a bool); INSERT INTO tiny SELECT NULL FROM generate_series(1, 900)"
        )
    (timing,) = run(
        table, script_of(tmp_path, "-- Batches: 1 rows\nUPDATE tiny SET a = true WHERE a IS NULL;")
    )
    assert timing["rows"] == 900
    assert timing["batches"] < 10


def test_ranges_without_rows_are_doubled(filled: Any) -> None:
    statement: Any = {
        "line": 1,
        "kind": "DeleteStmt",
        "sql": "",
        "batches": {
            "rows": 100,
            "table": [None, "item"],
            "only": False,
            "target": "item",
            "change": "DELETE FROM item",
            "condition": "id > 2500",
        },
    }
    batches = Batches(statement, "x.sql")
    asked: list[tuple[int, int]] = []

    def commit(first: int, pages: int) -> Any:
        asked.append((first, pages))
        return None

    with transaction(filled) as cursor:
        extent = batches.extent(cursor)
    assert batches.once(extent, commit, lambda: None) is False
    assert [first for first, _ in asked] == sorted({first for first, _ in asked})
    assert asked[0][1] < asked[1][1] < asked[2][1]
    assert sum(pages for _, pages in asked) >= extent[0]
