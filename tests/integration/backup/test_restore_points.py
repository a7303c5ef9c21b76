# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A restore point is one when the WAL that holds it lies in the archive: on a server that really archives."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.backup import emergency as emergency_backup
from ansible_collections.pgops.runbook.plugins.module_utils.backup.emergency import (
    check_wanted,
    is_archived,
    set_restore_point,
)
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused

from demo.local_server import LocalServer
from tests.integration.step_runs import StepRuns

# As the manual's example, and it can be told to hang or to fail ("Setting Up WAL Archiving").
ARCHIVE = """#!/bin/sh
while test -e '{folder}/../hang'; do sleep 0.05; done
test ! -e '{folder}/../fail' || exit 1
test ! -f "{folder}/$2" && cp "$1" "{folder}/$2"
"""


class Archive:
    """A server of its own with a folder into which it archives its WAL."""

    def __init__(self, server: LocalServer) -> None:
        self.server = server
        self.place = server.data.parent / "archiving"
        self.folder = self.place / "archive"
        self.script = self.place / "archive.sh"

    def prepare(self) -> None:
        self.folder.mkdir(parents=True)
        for folder in (self.place, self.folder):
            folder.chmod(0o777)  # the server may run as another user
        self.script.write_text(ARCHIVE.format(folder=self.folder), encoding="utf-8")
        self.script.chmod(0o755)
        self.set(archive_mode="on", archive_command=f"{self.script} %p %f")
        self.restart()

    def restart(self) -> None:
        self.server.stop()
        self.server.start()

    def set(self, **settings: str) -> None:
        for name, value in settings.items():
            self.ask(f"ALTER SYSTEM SET {name} = %s", value)
        self.ask("SELECT pg_reload_conf()")

    def ask(self, query: str, *values: object) -> list[tuple]:
        with contextlib.closing(self.server.connect()) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(query, values)
                return cursor.fetchall() if cursor.description else []

    def one(self, query: str) -> Any:
        return self.ask(query)[0][0]

    def archived(self, segment: str) -> None:
        """Wait until the server says so."""
        wait_for(lambda: (self.one("SELECT last_archived_wal FROM pg_stat_archiver") or "") >= segment)

    def switch(self) -> str:
        """End a segment; its name."""
        segment = self.one("SELECT pg_walfile_name(pg_create_restore_point('any'))")
        self.ask("SELECT pg_switch_wal()")
        return segment

    def archive_again(self, begin: str, end: str) -> None:
        """Let a file be archived once more, after everything else: it is the last one then."""
        (done,) = (self.server.data / "pg_wal" / "archive_status").glob(f"{begin}*{end}.done")
        (self.folder / done.stem).unlink()
        done.rename(done.with_suffix(".ready"))
        self.ask("SELECT pg_reload_conf()")  # wakes the archiver
        wait_for(lambda: self.one("SELECT last_archived_wal FROM pg_stat_archiver") == done.stem)

    @contextlib.contextmanager
    def that(self, how: str) -> Iterator[None]:
        """An archive that hangs, or fails."""
        flag = self.place / how
        flag.touch()
        try:
            yield
        finally:
            flag.unlink()

    def connection(self) -> contextlib.closing:
        return contextlib.closing(self.server.connect())


def wait_for(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    server = LocalServer(tmp_path / "state", fsync=False)
    try:
        server.start()
        made = Archive(server)
        made.prepare()
        yield made
    finally:
        shutil.rmtree(server.data.parent / "archiving", ignore_errors=True)
        server.remove()


def test_its_segment_is_in_the_archive_when_it_is_said_to_be_set(archive: Archive) -> None:
    with archive.connection() as connection:
        found = set_restore_point(connection, "20260101T000000Z-test-0001")
        assert found["restore_point"] == "runbook_20260101T000000Z-test-0001"
        assert found["restore_point"].encode() in (archive.folder / found["segment"]).read_bytes()
        with archive.that("hang"), pytest.raises(Refused, match=r"was not archived within 0\.5 s"):
            set_restore_point(connection, "another", wait_seconds=0.5)


def test_an_archive_that_fails_since_its_last_success_is_refused(archive: Archive) -> None:
    archive.archived(archive.switch())
    with archive.connection() as connection:
        with archive.that("fail"):
            archive.switch()
            wait_for(
                lambda: archive.one("SELECT last_failed_time > last_archived_time FROM pg_stat_archiver")
            )
            with pytest.raises(Refused, match=r"segment [0-9A-F]{24} could not be archived"):
                set_restore_point(connection, "run", wait_seconds=0)
        wait_for(lambda: archive.one("SELECT last_failed_time < last_archived_time FROM pg_stat_archiver"))
        found = set_restore_point(connection, "run")  # an old failure is none
        assert (archive.folder / found["segment"]).exists()


def test_figures_from_before_are_no_proof(archive: Archive) -> None:
    """A data folder is put back as it was, and the statistics are those of later."""
    server, kept = archive.server, archive.place / "kept"
    server.stop()
    shutil.copytree(server.data, kept, symlinks=True)
    server.start()
    for _ in range(4):
        archive.archived(archive.switch())
    later = archive.one("SELECT last_archived_wal FROM pg_stat_archiver")
    server.stop()
    shutil.copy2(server.data / "pg_stat" / "pgstat.stat", kept / "pg_stat" / "pgstat.stat")
    owner = server.data.stat()
    shutil.rmtree(server.data)
    shutil.copytree(kept, server.data, symlinks=True)
    for path in [server.data, *server.data.rglob("*")]:
        shutil.chown(path, owner.st_uid, owner.st_gid)
    server.data.chmod(0o700)
    with archive.that("hang"):
        server.start()
        assert archive.one("SELECT last_archived_wal FROM pg_stat_archiver") == later
        with archive.connection() as connection:
            assert archive.one("SELECT pg_walfile_name(pg_current_wal_lsn())") < later
            with pytest.raises(Refused, match="was not archived"):
                set_restore_point(connection, "run", wait_seconds=0.5)


@pytest.mark.parametrize("later", [False, True])
def test_the_label_of_a_base_backup_does_not_hide_the_segment(archive: Archive, later: bool) -> None:
    """Neither where the point is in the segment that the label is called after, nor in one after it."""
    with archive.connection() as connection, archive.connection() as other, other.cursor() as backup:
        backup.execute("SELECT clock_timestamp()")
        begun = backup.fetchone()[0]
        other.commit()
        backup.execute("SELECT pg_walfile_name(pg_backup_start('base', true))")
        first = backup.fetchone()[0]
        if later:
            archive.switch()
        found = set_restore_point(connection, "run")
        assert (found["segment"] > first) is later
        backup.execute("SELECT pg_backup_stop(wait_for_archive => true)")
        archive.archive_again(first, ".backup")
        with connection.cursor() as cursor:
            assert is_archived(cursor, found["segment"], begun)
            # Who may not look at the marks is told by the label itself, unless the point is in a later segment.
            cursor.execute("CREATE ROLE plain")
            cursor.execute("SET LOCAL ROLE plain")
            assert is_archived(cursor, found["segment"], begun) is not later
        connection.commit()
        with archive.that("hang"):
            following = archive.switch()
            with connection.cursor() as cursor:
                assert not is_archived(cursor, following, begun), (
                    "which says nothing about what comes after it"
                )
            connection.commit()
            found = archive.one("SELECT last_archived_wal FROM pg_stat_archiver")
            assert found.endswith(".backup")


def test_a_role_that_sees_the_statistics_only_is_told_so_too(archive: Archive) -> None:
    archive.ask("CREATE ROLE plain")
    with archive.connection() as connection:
        connection.autocommit = True
        connection.cursor().execute("SET ROLE plain")
        connection.autocommit = False
        with pytest.raises(Refused, match=r'GRANT EXECUTE ON FUNCTION pg_create_restore_point.* TO "plain"'):
            set_restore_point(connection, "run")
        with pytest.raises(Refused, match=r"GRANT EXECUTE ON FUNCTION .* Nothing was changed"):
            check_wanted(connection, "restore_point", [], "run", prove=False)
        archive.ask("GRANT EXECUTE ON FUNCTION pg_create_restore_point(text), pg_switch_wal() TO plain")
        found = set_restore_point(connection, "run")
    assert b"runbook_run" in (archive.folder / found["segment"]).read_bytes()


def test_a_new_timeline_begins_with_its_history_file(archive: Archive) -> None:
    archive.archived(archive.switch())
    archive.server.stop()
    (archive.server.data / "standby.signal").touch()
    archive.server.start()
    archive.ask("SELECT pg_promote()")
    wait_for((archive.folder / "00000002.history").exists)
    archive.archive_again("00000002", ".history")
    with archive.connection() as connection:
        with archive.that("hang"), pytest.raises(Refused, match="was not archived"):
            set_restore_point(connection, "held", wait_seconds=0.5)
        found = set_restore_point(connection, "run")
    assert found["segment"].startswith("00000002")
    assert b"runbook_run" in (archive.folder / found["segment"]).read_bytes()


def test_archiving_without_a_command_is_none(archive: Archive) -> None:
    archive.set(archive_command="")
    wait_for(lambda: archive.one("SHOW archive_command") == "")
    with archive.connection() as connection:
        with pytest.raises(Refused, match="neither archive_command nor archive_library is set"):
            set_restore_point(connection, "run")
        with pytest.raises(Refused, match=r"neither archive_command .* Nothing was changed"):
            check_wanted(connection, "restore_point", [], "run", prove=False)


def test_a_library_that_archives(archive: Archive) -> None:
    archive.set(archive_command="", archive_library="basic_archive")
    archive.ask("ALTER SYSTEM SET basic_archive.archive_directory = %s", str(archive.folder))
    archive.restart()
    with archive.connection() as connection:
        found = set_restore_point(connection, "run")
    assert b"runbook_run" in (archive.folder / found["segment"]).read_bytes()


def test_a_deploy_proves_the_archive_before_it_changes_anything(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.ask("CREATE DATABASE shop")
    runs = StepRuns(archive.server, "shop", tmp_path)
    runs.write(migrations__001_a="CREATE TABLE a (id int);", rollback__001_a_rollback="DROP TABLE a;")
    monkeypatch.setattr(emergency_backup, "ARCHIVE_WAIT_SECONDS", 0.5)
    with archive.that("hang"):
        answer = runs.another(wanted="001").step("preflight", emergency_backup="restore_point")
        assert (answer.get("failed"), answer.get("outcome")) == (True, "refused"), answer
        assert "was not archived within 0.5 s" in answer["msg"]
        assert "Nothing was changed" in answer["msg"]
        assert runs.ask("SELECT to_regnamespace('runbook')") == [(None,)]
        # A rollback sets one in its next step, which must not wait for the same twice.
    monkeypatch.setattr(emergency_backup, "ARCHIVE_WAIT_SECONDS", 60)
    run = runs.another(wanted="001")
    proven = run.must("preflight", emergency_backup="restore_point")["outputs"]["restore_point"]
    assert proven["restore_point"] == f"runbook_before_{run.run_id}"
    assert proven["restore_point"].encode() in (archive.folder / proven["segment"]).read_bytes()
    run.steps("maintenance_window", "backup", "verify_restore", "rehearse", "apply")
    made = run.must("backup", purpose="emergency", kind="restore_point", automatic=True)["outputs"]
    assert made["restore_point"] == f"runbook_{run.run_id}", "recovery ends at the first point of a name"
