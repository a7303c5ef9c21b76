# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a migration does is measured: locks, rewrites, rows, and how long it keeps others waiting."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.impact.meter import ImpactMeter
from ansible_collections.pgops.runbook.plugins.module_utils.impact.wal import SessionWal
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import transaction
from ansible_collections.pgops.runbook.plugins.module_utils.shapes import Timing

from demo.local_server import LocalServer


@pytest.fixture
def table(connection: Any) -> Any:
    with transaction(connection) as cursor:
        cursor.execute("CREATE TABLE item (id int PRIMARY KEY, name text)")
        cursor.execute("INSERT INTO item SELECT i, 'name ' || i FROM generate_series(1, 1000) i")
        cursor.execute("CREATE TABLE other (id int)")
    return connection


def measured(connection: Any, *statements: Any) -> tuple[Any, ...]:
    """Run statements; returns (timings, impact)."""
    timings = []
    with transaction(connection) as cursor:
        meter = ImpactMeter(cursor, with_sizes=True)
        for line, statement in enumerate(statements, 1):
            cursor.execute(statement)
            timings.append({"line": line})
            meter.statement_done(timings[-1])
        return timings, meter.result()


def test_rows_are_counted_by_table_and_kind(table: Any) -> None:
    _, impact = measured(
        table,
        "UPDATE item SET name = 'x' WHERE id <= 7",
        "DELETE FROM item WHERE id > 990",
        "INSERT INTO other SELECT generate_series(1, 3)",
    )
    assert impact["rows"] == {
        "public.item": {"inserted": 0, "updated": 7, "deleted": 10},
        "public.other": {"inserted": 3, "updated": 0, "deleted": 0},
    }
    assert impact["wal_bytes"] > 0


@pytest.mark.parametrize(
    ("statements", "emptied"),
    [
        (["DELETE FROM item"], ["public.item"]),
        (["TRUNCATE item"], ["public.item"]),
        (["DELETE FROM item WHERE id > 1"], []),
        (["DELETE FROM item", "INSERT INTO item VALUES (1)"], []),
        # It had none.
        (["DELETE FROM other"], []),
        (["ALTER TABLE other ALTER id TYPE bigint"], ["public.other"]),
        (["DELETE FROM item", "DROP TABLE item"], []),
        (["CREATE TABLE third AS SELECT 1", "DELETE FROM third"], []),
        (["DELETE FROM item", 'ALTER TABLE item RENAME TO "a ""b"'], ['public."a ""b"']),
    ],
)
def test_a_table_that_has_no_row_left_is_named(table: Any, statements: list[Any], emptied: list[Any]) -> None:
    assert measured(table, *statements)[1]["emptied"] == emptied


def test_rows_of_an_earlier_transaction_do_not_count(table: Any) -> None:
    _, impact = measured(table, "INSERT INTO other VALUES (1)")
    assert list(impact["rows"]) == ["public.other"]


def test_locks_that_the_runbook_took_before_are_not_the_migrations(table: Any) -> None:
    with transaction(table) as cursor:
        cursor.execute("LOCK TABLE item IN SHARE ROW EXCLUSIVE MODE")
        meter = ImpactMeter(cursor)
        timing: Timing = {"line": 1}
        cursor.execute("ALTER TABLE other ADD note text")
        meter.statement_done(timing)
        assert [lock["table"] for lock in timing["locks"]] == ["public.other"]
        assert [lock["table"] for lock in meter.result()["locks"]] == ["public.other"]


def test_what_serializable_notes_of_its_reading_keeps_nobody_waiting(table: Any) -> None:
    table.set_session(isolation_level="SERIALIZABLE")
    timings, impact = measured(table, "SELECT count(*) FROM item")
    assert timings[0]["locks"] == []
    assert [(lock["table"], lock["mode"]) for lock in impact["locks"]] == [("public.item", "AccessShareLock")]


@pytest.mark.parametrize(
    ("statement", "mode"),
    [
        ("ALTER TABLE item ADD note text", "AccessExclusiveLock"),
        ("CREATE INDEX ON item (name)", "ShareLock"),
        ("COMMENT ON TABLE item IS 'x'", "ShareUpdateExclusiveLock"),
        ("UPDATE item SET name = 'x'", "RowExclusiveLock"),
    ],
)
def test_the_strongest_lock_on_a_table_with_its_size_and_line(table: Any, statement: str, mode: str) -> None:
    timings, impact = measured(table, "SELECT 1 FROM item LIMIT 1", statement)
    (lock,) = (lock for lock in impact["locks"] if lock["table"] == "public.item")
    assert (lock["mode"], lock["line"]) == (mode, 2)
    assert lock["table_bytes"] > 0
    assert [taken["mode"] for taken in timings[1]["locks"] if taken["table"] == "public.item"][-1:] == [mode]


@pytest.mark.parametrize(
    ("statement", "rewritten"),
    [
        ("ALTER TABLE item ALTER id TYPE bigint", ["public.item"]),
        ("ALTER TABLE item ADD at timestamptz DEFAULT clock_timestamp()", ["public.item"]),
        ("TRUNCATE item", ["public.item"]),
        ("ALTER TABLE item ADD note text DEFAULT 'constant'", []),
    ],
)
def test_a_rewrite_is_seen(table: Any, statement: str, rewritten: list[Any]) -> None:
    timings, impact = measured(table, statement)
    assert timings[0]["rewritten"] == rewritten
    assert list(impact["rewritten"]) == rewritten


def test_a_rewrite_is_seen_that_no_event_trigger_reports(table: Any) -> None:
    """The event table_rewrite is that of ALTER TABLE and ALTER TYPE only (manual, "Event Trigger Behavior")."""
    with transaction(table) as cursor:
        cursor.execute("CREATE TABLE reported (command text)")
        cursor.execute(
            "CREATE FUNCTION report() RETURNS event_trigger LANGUAGE plpgsql AS"
            " 'BEGIN INSERT INTO reported VALUES (tg_tag); END'"
        )
        cursor.execute("CREATE EVENT TRIGGER report ON table_rewrite EXECUTE FUNCTION report()")
    statements = ("CLUSTER item USING item_pkey", "TRUNCATE other", "ALTER TABLE item ALTER id TYPE bigint")
    timings, _ = measured(table, *statements)
    assert [timing["rewritten"] for timing in timings] == [["public.item"], ["public.other"], ["public.item"]]
    with transaction(table) as cursor:
        cursor.execute("SELECT command FROM reported")
        assert cursor.fetchall() == [("ALTER TABLE",)]


def test_a_table_that_the_migration_makes_keeps_nobody_waiting(table: Any) -> None:
    _, impact = measured(table, "CREATE TABLE new (id int)", "ALTER TABLE new ADD name text")
    assert [lock["table"] for lock in impact["locks"]] == []


def test_the_checks_before_commit_are_counted_into_the_time_a_lock_is_held(table: Any) -> None:
    with transaction(table) as cursor:
        meter = ImpactMeter(cursor)
        cursor.execute("LOCK TABLE item IN ACCESS EXCLUSIVE MODE")
        meter.statement_done({"line": 1})
        impact = meter.result()
        held = impact["locks"][0]["held_seconds"]
        cursor.execute("SELECT pg_sleep(0.05)")
        meter.held_until_now(impact)
    assert impact["locks"][0]["held_seconds"] > held


# WAL -----------------------------------------------------------------------------------------------------


@pytest.fixture
def full_page_writes(server: LocalServer) -> Iterator[Any]:
    """The test server has them off, as nothing of it must survive a crash."""
    with contextlib.closing(server.connect("postgres")) as admin:
        admin.autocommit = True
        with admin.cursor() as cursor:

            def show_until(value: Any) -> None:
                deadline = time.monotonic() + 30
                cursor.execute("SHOW full_page_writes")
                while cursor.fetchone() != (value,) and time.monotonic() < deadline:
                    cursor.execute("SHOW full_page_writes")

            cursor.execute("ALTER SYSTEM SET full_page_writes = on")
            cursor.execute("SELECT pg_reload_conf()")
            show_until("on")
            yield cursor
            cursor.execute("ALTER SYSTEM RESET full_page_writes")
            cursor.execute("SELECT pg_reload_conf()")
            show_until("off")


def test_a_checkpoint_changes_the_full_page_images_and_not_the_rest(
    table: Any, full_page_writes: Any
) -> None:
    """The same change right after a checkpoint writes every page that it touches into the WAL."""
    if table.server_version < 180000:
        pytest.skip("before PostgreSQL 18 no server tells what one session wrote")
    with transaction(table) as cursor:
        cursor.execute("CREATE TABLE wide AS SELECT i, repeat('x', 900) AS x FROM generate_series(1, 2000) i")

    def written() -> Any:
        """Of a change that leaves every page as it was, for the second time to be like the first."""
        wal = SessionWal(table)
        with table.cursor() as cursor:
            cursor.execute("DELETE FROM wide WHERE i % 8 = 1")
        table.rollback()
        return wal.written()

    with transaction(table) as cursor:
        cursor.execute("SELECT count(*) FROM wide")  # sets hint bits
    full_page_writes.execute("CHECKPOINT")
    first, second = written(), written()
    assert first["records"] == pytest.approx(second["records"], rel=0.2)
    assert first["records"] >= 250
    assert first["full_page_images"] > second["full_page_images"] + 200
    assert first["bytes"] > 10 * second["bytes"]
    assert first["bytes_without_images"] <= second["bytes"], "no more than there is without images"


def test_what_other_sessions_write_is_not_counted(server: LocalServer, database: str, table: Any) -> None:
    if table.server_version < 180000:
        pytest.skip("before PostgreSQL 18 no server tells what one session wrote")
    wal = SessionWal(table)
    with contextlib.closing(server.connect(database)) as other, other.cursor() as cursor:
        cursor.execute("INSERT INTO other SELECT generate_series(1, 10000)")
        other.commit()
    assert wal.written()["bytes"] < 100_000


def test_a_session_that_has_ended_has_no_figure(server: LocalServer, database: str) -> None:
    with contextlib.closing(server.connect(database)) as own:
        wal = SessionWal(own)
    assert wal.written() is None
