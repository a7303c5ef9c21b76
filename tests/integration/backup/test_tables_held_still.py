# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tables that come and go while a backup takes its locks: none is in its snapshot without being held still."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.backup.files import BackupFiles
from ansible_collections.pgops.runbook.plugins.module_utils.backup.snapshot import back_up

from demo.local_server import LocalServer
from tests.integration.restore_runs import wait_for
from tests.integration.step_runs import target

WAITING = (
    "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND mode = 'AccessShareLock'"
    " AND relation = 'gate'::regclass)"
)


class FilesWithVisitor(BackupFiles):
    """Backup files; another session does something between the export of the snapshot and the dump."""

    visit: Callable[[], None] = staticmethod(lambda: None)

    def make_dump(self, *arguments: Any) -> None:
        self.visit()
        return super().make_dump(*arguments)


class Meanwhile(threading.Thread):
    """Holds table ``gate``; when the backup waits for it, does something, and lets it go on.

    The backup has made its list by then, and has none of its locks: ``gate`` comes before every other table.
    """

    def __init__(self, server: LocalServer, database: str, statement: str) -> None:
        super().__init__()
        self.server, self.database, self.statement = server, database, statement
        self.held = threading.Event()
        self.done = False

    def run(self) -> None:
        with (
            contextlib.closing(self.server.connect(self.database)) as holder,
            contextlib.closing(self.server.connect(self.database)) as other,
            holder.cursor() as gate,
            other.cursor() as cursor,
        ):
            gate.execute("LOCK TABLE gate IN ACCESS EXCLUSIVE MODE")
            self.held.set()
            wait_for(lambda: cursor.execute(WAITING) or cursor.fetchone()[0])
            cursor.execute(self.statement)
            other.commit()
            self.done = True


@pytest.fixture
def gated(connection: Any) -> Any:
    """A database whose table ``gate`` comes before every other one."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE gate (n int); CREATE TABLE old (n int); INSERT INTO old VALUES (1)")
    connection.commit()
    return connection


@pytest.fixture
def meanwhile(server: LocalServer, database: str, gated: Any) -> Iterator[Callable[[str], Meanwhile]]:
    started: list[Meanwhile] = []

    def start(statement: str) -> Meanwhile:
        thread = Meanwhile(server, database, statement)
        started.append(thread)
        thread.start()
        assert thread.held.wait(30)
        return thread

    yield start
    for thread in started:
        thread.join()


def test_a_table_that_appears_between_list_and_lock_is_held_still_too(
    server: LocalServer, database: str, gated: Any, meanwhile: Callable[[str], Meanwhile], tmp_path: Path
) -> None:
    """Rewritten between snapshot and dump it would be dumped without its rows, and without an error."""
    files = FilesWithVisitor(str(tmp_path / "backups"), "run-1")
    refused = []

    def rewrite() -> None:
        with contextlib.closing(server.connect(database)) as own, own.cursor() as cursor:
            cursor.execute("SET lock_timeout = '100ms'")
            with pytest.raises(psycopg2.errors.LockNotAvailable):
                cursor.execute("ALTER TABLE fresh ALTER n TYPE bigint")
            refused.append(True)

    files.visit = rewrite
    thread = meanwhile("CREATE TABLE fresh AS SELECT 7 AS n")
    manifest = back_up(gated, target(server, database), files, bindir=server.bindir)
    thread.join()
    assert thread.done, "the table appeared while the backup waited for its locks"
    assert refused
    assert manifest["content"]["tables"]["public.fresh"]["rows"] == 1


def test_a_table_that_goes_between_list_and_lock_is_not_missed(
    server: LocalServer, database: str, gated: Any, meanwhile: Callable[[str], Meanwhile], tmp_path: Path
) -> None:
    files = BackupFiles(str(tmp_path / "backups"), "run-1")
    thread = meanwhile("DROP TABLE old")
    manifest = back_up(gated, target(server, database), files, bindir=server.bindir)
    thread.join()
    assert thread.done
    assert sorted(manifest["content"]["tables"]) == ["public.gate"]
