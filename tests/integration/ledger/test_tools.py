# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The tables in which other tools record what is applied: read as they are, and written as the tool would."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.application import read_schema
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.bookkeeping import (
    TOOLS,
    books,
    keep_books_in,
    recorded_in,
)
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.tools.flyway import Flyway
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.tools.numbers import Golang
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.tools.python import Alembic
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.tools.sqitch import Sqitch
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.tools.table import RecordTable
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.tools.yoyo import Yoyo
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.versions import VersionTable


def flyway_entry(name: str) -> dict[str, Any]:
    return {"description": name, "script": f"V{name}.sql", "checksum": -7}


ENTRIES: dict[str, dict[str, Any]] = {
    "alembic": {"a": {"revision": "aa11", "revises": []}, "b": {"revision": "bb22", "revises": ["aa11"]}},
    "dbmate": {"a": "20240101", "b": "20240102"},
    "django": {"a": {"app": "polls", "name": "0001_initial"}, "b": {"app": "polls", "name": "0002_more"}},
    "flyway": {"1": flyway_entry("1"), "1.10": flyway_entry("1_10")},
    "golang": {"a": 1, "b": 2},
    "goose": {"a": 1, "b": 2},
    "rails": {"a": "20240101", "b": "20240102"},
    "yoyo": {"a": "0001.first", "b": "0002.second"},
}
# What the table then holds: after the first migration, and after both.
ROWS: dict[str, tuple[str, list[tuple], list[tuple]]] = {
    "alembic": ("SELECT version_num FROM alembic_version", [("aa11",)], [("bb22",)]),
    "dbmate": (
        "SELECT version FROM schema_migrations ORDER BY 1",
        [("20240101",)],
        [("20240101",), ("20240102",)],
    ),
    "django": (
        "SELECT app, name FROM django_migrations ORDER BY id",
        [("polls", "0001_initial")],
        [("polls", "0001_initial"), ("polls", "0002_more")],
    ),
    "flyway": (
        "SELECT installed_rank, version, description, type, script, checksum, success FROM flyway_schema_history"
        " ORDER BY 1",
        [(1, "1", "1", "SQL", "V1.sql", -7, True)],
        [(1, "1", "1", "SQL", "V1.sql", -7, True), (2, "1.10", "1_10", "SQL", "V1_10.sql", -7, True)],
    ),
    "golang": ("SELECT version, dirty FROM schema_migrations", [(1, False)], [(2, False)]),
    "goose": (
        "SELECT version_id, is_applied FROM goose_db_version ORDER BY id",
        [(0, True), (1, True)],
        [(0, True), (1, True), (2, True)],
    ),
    "yoyo": (
        "SELECT migration_id, encode(sha256(convert_to(migration_id, 'UTF8')), 'hex') = migration_hash"
        " FROM _yoyo_migration ORDER BY 1",
        [("0001.first", True)],
        [("0001.first", True), ("0002.second", True)],
    ),
    "rails": (
        "SELECT version FROM schema_migrations ORDER BY 1",
        [("20240101",)],
        [("20240101",), ("20240102",)],
    ),
}


@pytest.fixture
def cursor(connection: Any) -> Iterator[Any]:
    with connection.cursor() as cursor:
        yield cursor
    keep_books_in(None)


def table(cursor: Any, tool: str, **settings: Any) -> VersionTable:
    """The record of versions of a tool with the migrations above."""
    keep_books_in({"tool": tool, "entries": ENTRIES.get(tool, {}), **settings})
    return VersionTable(cursor)


def rows(cursor: Any, query: str) -> list[tuple]:
    cursor.execute(query)
    return cursor.fetchall()


def test_there_is_one_of_each_tool_and_none_by_default() -> None:
    assert sorted(TOOLS) == sorted(["", *ENTRIES, "sqitch"])
    keep_books_in(None)
    assert (type(books()), recorded_in()) == (RecordTable, "schema_migrations")
    keep_books_in({"tool": "sqitch"})
    assert (type(books()), recorded_in()) == (Sqitch, "sqitch.changes")
    keep_books_in({"tool": "yoyo"})
    assert (type(books()), recorded_in()) == (Yoyo, "_yoyo_migration")
    keep_books_in(None)


@pytest.mark.parametrize("tool", ENTRIES)
def test_what_is_applied_is_recorded_and_forgotten_as_the_tool_would(cursor: Any, tool: str) -> None:
    before = read_schema(cursor)
    first, second = ENTRIES[tool]
    query, after_one, after_both = ROWS[tool]
    record = table(cursor, tool)
    record.check()
    assert record.applied() == set()
    record.record(first, "words")
    record.check()
    assert read_schema(cursor) == before, "a table that had to be made is no schema of the application's"
    assert (rows(cursor, query), record.applied()) == (after_one, {first})
    for _ in range(2):
        record.record(second, "words")
        assert (rows(cursor, query), record.applied()) == (after_both, {first, second})
    for _ in range(2):
        record.forget(second)
        assert (rows(cursor, query), record.applied()) == (after_one, {first})
    record.forget(first)
    assert record.find() is None
    assert read_schema(cursor) == before


def test_yoyos_log_has_each_time_that_something_was_done(cursor: Any) -> None:
    record = table(cursor, "yoyo")
    for version in ("a", "b"):
        record.record(version, "")
    record.forget("b")
    assert rows(
        cursor,
        "SELECT operation, migration_id, username = session_user, length(id), comment FROM _yoyo_log"
        " ORDER BY created_at_utc",
    ) == [
        ("apply", "0001.first", True, 36, None),
        ("apply", "0002.second", True, 36, None),
        ("rollback", "0002.second", True, 36, None),
    ]
    assert rows(cursor, "SELECT version FROM _yoyo_version") == [(2,)]
    record.forget("a")
    assert rows(cursor, "SELECT count(*) FROM pg_class WHERE relname LIKE '\\_yoyo%'") == [(0,)]


def test_of_what_a_squashed_migration_replaces_django_records_each(cursor: Any) -> None:
    entry = {"app": "polls", "name": "s", "replaces": [["polls", "0001_initial"], ["polls", "0002_more"]]}
    record = table(cursor, "django", entries={"a": entry, "b": {"app": "polls", "name": "0003_last"}})
    record.record("b", "")
    query = "SELECT name FROM django_migrations ORDER BY id"
    record.record("a", "")
    assert rows(cursor, query) == [("0003_last",), ("0001_initial",), ("0002_more",), ("s",)]
    assert record.applied() == {"a", "b"}
    record.forget("a")
    assert (rows(cursor, query), record.applied()) == ([("0003_last",)], {"b"})
    # Where Django applied what it replaces, before there was anything to replace it.
    cursor.execute(
        "INSERT INTO django_migrations (app, name, applied) VALUES ('polls', '0001_initial', now())"
    )
    assert record.applied() == {"b"}
    cursor.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('polls', '0002_more', now())")
    assert record.applied() == {"a", "b"}


@pytest.mark.parametrize("tool", ENTRIES)
def test_a_table_of_the_tools_own_stays_and_is_left_out_of_rows_compared(cursor: Any, tool: str) -> None:
    first, _second = ENTRIES[tool]
    record = table(cursor, tool)
    record.record(first, "words")
    cursor.execute(f"COMMENT ON TABLE {record.name()} IS NULL")
    name, *_ = record.quoted_names()
    content = {"tables": {name: {}, "public.users": {}}, "sequences": {f"{name}_id_seq": 1, "public.u": 2}}
    assert record.without_books(content) == {"tables": {"public.users": {}}, "sequences": {"public.u": 2}}
    record.forget(first)
    assert record.name() == name


@pytest.mark.parametrize("tool", ENTRIES)
def test_a_table_without_the_columns_is_refused(cursor: Any, tool: str) -> None:
    record = table(cursor, tool)
    cursor.execute(f"CREATE TABLE {record.books.table} (version int, dirty text)")
    with pytest.raises(Refused, match=r"its column .* is (missing|of type)") as caught:
        record.check()
    assert caught.value.code == "version_table_unusable"


def test_a_table_of_ones_own_with_other_names(cursor: Any) -> None:
    cursor.execute(
        "CREATE SCHEMA ops; CREATE TABLE ops.changes (number varchar PRIMARY KEY, words text NOT NULL)"
    )
    record = table(cursor, "", table="ops.changes", version="number", description="words")
    record.check()
    record.record("001", "first")
    assert rows(cursor, "SELECT number, words FROM ops.changes") == [("001", "first")]
    assert record.applied() == {"001"}
    record.forget("001")
    assert record.applied() == set()


def test_a_schema_that_is_named_is_where_it_is_made(cursor: Any) -> None:
    cursor.execute("CREATE SCHEMA ops")
    record = table(cursor, "flyway", table="ops.history")
    record.record("1", "words")
    assert record.quoted_names() == ["ops.history"]
    assert record.quoted_beside() == ["ops.history_pk", "ops.history_s_idx"]


# One number for all


def test_one_number_stands_for_all_before_it(cursor: Any) -> None:
    record = table(cursor, "golang", entries={"a": 1, "b": 2, "c": 7})
    cursor.execute(
        "CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)"
    )
    with pytest.raises(Refused, match=r"2 would say that a is applied") as caught:
        record.record("b", "")
    assert caught.value.code == "version_table_one_number"
    cursor.execute("INSERT INTO schema_migrations VALUES (7, false)")
    assert record.applied() == {"a", "b", "c"}
    with pytest.raises(Refused, match="without a it would say that b, c is not applied"):
        record.forget("a")
    cursor.execute("UPDATE schema_migrations SET version = 9")
    assert record.applied() == {"a", "b", "c", "9"}, "one that the folder does not have"
    assert isinstance(books(), Golang)


def test_what_the_tool_says_is_half_done_is_refused(cursor: Any) -> None:
    record = table(cursor, "golang")
    record.record("a", "")
    cursor.execute("UPDATE schema_migrations SET dirty = true")
    with pytest.raises(Refused, match=r"version 1 is dirty.*migrate force") as caught:
        record.check()
    assert caught.value.code == "version_table_dirty"
    cursor.execute("DROP TABLE schema_migrations")
    record = table(cursor, "flyway")
    record.record("1", "")
    cursor.execute("UPDATE flyway_schema_history SET success = false")
    with pytest.raises(Refused, match=r"1 failed.*flyway repair"):
        record.check()


# Histories


def test_flyway_baselines_undone_ones_and_repeatable_ones_are_read(cursor: Any) -> None:
    record = table(cursor, "flyway", entries={v: flyway_entry(v) for v in ("1", "2.0", "3", "4")})
    record.record("4", "")
    cursor.execute(
        "INSERT INTO flyway_schema_history VALUES (2, '2', 'b', 'BASELINE', 'b', NULL, 'x', now(), 0, true),"
        " (3, '4', 'u', 'UNDO_SQL', 'U4.sql', 1, 'x', now(), 0, true),"
        " (4, NULL, 'views', 'SQL', 'R__views.sql', 1, 'x', now(), 0, true)"
    )
    assert record.applied() == {"1", "2.0"}, "2 and 2.0 are one version"
    record.forget("2.0")
    assert rows(cursor, "SELECT count(*) FROM flyway_schema_history WHERE version = '2'") == [(0,)]
    assert isinstance(books(), Flyway)


def test_a_head_that_the_script_moved_itself_is_left_as_it_is(cursor: Any) -> None:
    record = table(cursor, "alembic")
    record.record("a", "")
    cursor.execute("UPDATE alembic_version SET version_num = 'bb22'")
    record.record("b", "")
    assert record.applied() == {"a", "b"}
    cursor.execute("UPDATE alembic_version SET version_num = 'aa11'")
    record.forget("b")
    assert record.applied() == {"a"}
    cursor.execute("INSERT INTO alembic_version VALUES ('cc33')")
    assert record.applied() == {"a", "cc33"}, "another branch"
    assert isinstance(books(), Alembic)


def test_alembics_heads_are_those_of_its_branches(cursor: Any) -> None:
    revises = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"], "e": ["c", "a"]}
    entries = {
        version: {"revision": f"r{version}", "revises": [f"r{one}" for one in before]}
        for version, before in revises.items()
    }
    record = table(cursor, "alembic", entries=entries)

    def heads() -> str:
        found = rows(cursor, "SELECT version_num FROM alembic_version ORDER BY 1") if record.find() else []
        return " ".join(head.removeprefix("r") for (head,) in found)

    steps = [("a", "a"), ("b", "b"), ("c", "b c"), ("d", "d"), ("e", "d e")]
    for version, after in steps:
        record.record(version, "")
        assert heads() == after
    assert record.applied() == set(revises)
    for version, after in (("e", "d"), ("d", "b c"), ("b", "c")):
        record.forget(version)
        assert heads() == after
    # It depends on what one of those that it revises comes from.
    record.record("e", "")
    assert heads() == "e"
    for version, after in (("e", "c"), ("c", "a"), ("a", "")):
        record.forget(version)
        assert heads() == after


def test_goose_counts_the_last_row_of_a_number(cursor: Any) -> None:
    record = table(cursor, "goose")
    record.record("a", "")
    cursor.execute("INSERT INTO goose_db_version (version_id, is_applied) VALUES (1, false), (2, true)")
    assert record.applied() == {"b"}


def test_a_migration_that_the_tool_does_not_know_is_refused(cursor: Any) -> None:
    with pytest.raises(Refused, match="how django knows migration zzz") as caught:
        table(cursor, "django").record("zzz", "")
    assert caught.value.code == "version_key_unknown"


def test_only_sqitch_makes_its_registry(cursor: Any) -> None:
    with pytest.raises(Refused, match=r"no table sqitch\.changes, and only sqitch can make it"):
        table(cursor, "sqitch").check()
