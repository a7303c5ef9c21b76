# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The library's door: what is written down around a script on the copy and in production, and what waits then."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.ledger import Ledger
from ansible_collections.pgops.runbook.plugins.module_utils.library.follow import (
    bring_rehearsed,
    changes_since,
    files_behind,
    forget_rehearsed,
    paths_before,
    record_in_production,
    record_on_copy,
    versions_behind,
)
from ansible_collections.pgops.runbook.plugins.module_utils.library.rehearsed_changes import RehearsedChanges
from ansible_collections.pgops.runbook.plugins.module_utils.shapes import Connection, Cursor

from demo.local_server import LocalServer

COLUMN = ["files", "path"]
SETS = "SELECT run_id, migration, direction, changes FROM runbook.path_change_set ORDER BY set_id"
PATHS = (
    "SELECT s.direction, file, old_path, new_path"
    " FROM runbook.path_change JOIN runbook.path_change_set s USING (set_id)"
)


@pytest.fixture
def cursor(connection: Connection) -> Iterator[Cursor]:
    """Production: two files, and a ledger."""
    with connection.cursor() as cursor:
        Ledger().create(cursor)
        cursor.execute(
            "CREATE TABLE files (id int PRIMARY KEY, path text); INSERT INTO files VALUES (1, 'a b'), (2, 'c')"
        )
        connection.commit()
        yield cursor


@pytest.fixture
def copy(server: LocalServer, database: str) -> Iterator[Cursor]:
    """Another session of the same database stands for the copy: its run has a name of its own."""
    with contextlib.closing(server.connect(database)) as connection, connection.cursor() as cursor:
        yield cursor


def changed(cursor: Cursor, run_id: str, version: str, direction: str, statement: str) -> int:
    paths = paths_before(cursor, COLUMN, True)
    assert paths is not None
    cursor.execute(statement)
    return record_in_production(cursor, paths, run_id, version, direction)


def rehearsed(copy: Cursor, statement: str) -> None:
    paths = paths_before(copy, COLUMN, True)
    assert paths is not None
    copy.execute(statement)
    record_on_copy(copy, paths, "002")


def asked(cursor: Cursor, query: str) -> list[tuple]:
    cursor.execute(query)
    return cursor.fetchall()


@pytest.mark.parametrize(("column", "files_follow"), [(None, True), (COLUMN, False), ([], True)])
def test_no_table_is_locked_without_header_or_library(
    cursor: Cursor, column: list[str] | None, files_follow: bool
) -> None:
    assert paths_before(cursor, column, files_follow) is None
    locks = "SELECT count(*) FROM pg_locks WHERE relation = 'files'::regclass AND pid = pg_backend_pid()"
    assert asked(cursor, locks) == [(0,)]
    assert paths_before(cursor, COLUMN, True) is not None
    assert asked(cursor, locks)[0][0] > 0


def test_what_an_applied_script_changed_waits_and_its_rehearsal_is_forgotten(
    cursor: Cursor, copy: Cursor
) -> None:
    rehearsed(copy, "UPDATE files SET path = 'a_b' WHERE id = 1")
    assert bring_rehearsed(copy, cursor, "run 1") == {"002": 1}
    assert asked(cursor, PATHS) == [("rehearsed", "1", "a b", "a_b")]
    assert files_behind(cursor) == [], "nothing has changed in production"
    copy.connection.rollback()
    assert changed(cursor, "run 1", "002", "apply", "UPDATE files SET path = 'a_b' WHERE id = 1") == 1
    assert asked(cursor, PATHS) == [("deploy", "1", "a b", "a_b")]
    assert files_behind(cursor) == [
        {"migration": "002", "direction": "deploy", "run_id": "run 1", "changes": 1, "followed_on": []}
    ]


def test_a_rollback_is_written_down_as_one(cursor: Cursor) -> None:
    changed(cursor, "run 1", "002", "apply", "UPDATE files SET path = path || '_'")
    assert changed(cursor, "run 2", "002", "rollback", "UPDATE files SET path = rtrim(path, '_')") == 2
    assert asked(cursor, SETS) == [("run 1", "002", "deploy", 2), ("run 2", "002", "rollback", 2)]


def test_versions_wait_in_their_order_and_each_once(cursor: Cursor) -> None:
    for run, version in enumerate(("004", "002", "004")):
        changed(cursor, f"run {run}", version, "apply", f"UPDATE files SET path = path || '{run}'")
    changed(cursor, "run 9", "003", "apply", "SELECT 1")
    assert versions_behind(cursor) == ["004", "002"], "003 has changed no path"


def test_a_second_rehearsal_takes_the_place_of_the_first(cursor: Cursor, copy: Cursor) -> None:
    rehearsed(copy, "UPDATE files SET path = 'a_b' WHERE id = 1")
    bring_rehearsed(copy, cursor, "run 1")
    bring_rehearsed(copy, cursor, "run 2")
    assert asked(cursor, SETS) == [("run 2", "002", "rehearsed", 1)]
    assert RehearsedChanges(cursor, "media1", "run 1").sets == []
    forget_rehearsed(cursor)
    assert asked(cursor, SETS) == []


def test_changes_are_counted_from_a_receipt_on(cursor: Cursor) -> None:
    ledger, identity = Ledger(), {"system_identifier": "1", "database": "x", "database_oid": 1}
    for run, version in (("run 1", "002"), ("run 2", "003")):
        changed(cursor, run, version, "apply", "UPDATE files SET path = path || '_'")
        ledger.open_run(cursor, run, "deploy", [version], "test", {})
        ledger.append(cursor, run, "apply", "ok", "2026-01-01T00:00:00.000000Z", identity, migration=version)
        ledger.finish_run(cursor, run, "deployed", "")
    positions = [position for (position,) in asked(cursor, "SELECT position FROM runbook.receipt ORDER BY 1")]
    assert changes_since(cursor, positions[0] - 1) == {"public.files.path": 4}
    assert changes_since(cursor, positions[0]) == {"public.files.path": 2}
    assert changes_since(cursor, positions[1]) == {}


def test_a_database_without_a_ledger_has_nothing_to_follow(connection: Connection) -> None:
    with connection.cursor() as cursor:
        assert (versions_behind(cursor), changes_since(cursor, 0)) == ([], {})
        forget_rehearsed(cursor)
