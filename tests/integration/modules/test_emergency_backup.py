# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The backup before a rollback: full, the salvage alone, or a restore point whose WAL is seen in the archive."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.emergency_backup import (
    choose_kind,
    restore_point_name,
    set_restore_point,
)
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from step_runs import StepRuns

from demo.local_server import LocalServer


@pytest.mark.parametrize(
    ("wanted", "size", "journalled", "kind"),
    [
        ("auto", 100, [], "full"),
        ("auto", 101, [], "salvage"),
        ("auto", 101, ["009"], "full"),
        ("full", 101, [], "full"),
        ("salvage", 1, [], "salvage"),
        ("restore_point", 1, ["009"], "restore_point"),
    ],
)
def test_the_choice(wanted, size, journalled, kind):
    found, why = choose_kind(wanted, size, 100, journalled)
    assert found == kind
    assert why


def test_salvage_is_no_backup_where_a_rollback_may_stop_half_way():
    with pytest.raises(Refused, match=r"not by its salvage.*-e emergency_backup=full"):
        choose_kind("salvage", 1, 100, ["009"])


def roll_back(runs: StepRuns, **options) -> tuple[StepRuns, dict]:
    runs.up_to("verify")
    runs.steps("smoke_test")
    runs.conclude("deployed")
    run = runs.another("emergency_rollback")
    run.steps("preflight")
    answer = run.step("backup", purpose="emergency", pg_bindir=run.server.bindir, **options)
    return run, answer


def test_a_rollback_on_its_salvage_alone(runs: StepRuns) -> None:
    run, answer = roll_back(runs, kind="salvage")
    assert not answer.get("failed"), answer
    assert (answer["outputs"]["kind"], answer["outputs"]["folder"]) == ("salvage", None)
    run.execute("UPDATE notes SET author = 'ada' WHERE id = 1")
    (done,) = run.must("emergency_rollback")["outputs"]["migrations"]
    assert [(item["kind"], item["rows"]) for item in done["salvage"]] == [("dropped columns", 1)]
    assert not (run.backups / run.run_id).exists()


def test_a_restore_point_without_archiving_is_refused(runs: StepRuns) -> None:
    _, answer = roll_back(runs, kind="restore_point")
    assert (answer["failed"], answer["outcome"]) == (True, "refused")
    assert "archive_mode is off" in answer["msg"]


@pytest.fixture(scope="module")
def archiving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A server of its own that archives its WAL."""
    server = LocalServer(tmp_path_factory.mktemp("archiving") / "state", fsync=False)
    server.start()
    try:
        with contextlib.closing(server.connect()) as connection:
            connection.autocommit = True
            connection.cursor().execute("ALTER SYSTEM SET archive_mode = on")
        server.stop()
        server.start()
        yield server
    finally:
        server.remove()


def archive_with(server: LocalServer, command: str) -> None:
    with contextlib.closing(server.connect()) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("ALTER SYSTEM SET archive_command = %s", (command,))
            cursor.execute("SELECT pg_reload_conf()")
            cursor.execute("SELECT pg_stat_reset_shared('archiver')")


def test_a_restore_point_is_set_when_its_segment_is_archived(archiving: LocalServer, tmp_path: Path) -> None:
    archive_with(archiving, "true")
    with contextlib.closing(archiving.connect()) as connection:
        found = set_restore_point(connection, "20260101T000000Z-test-0001")
        assert found["restore_point"] == "runbook_20260101T000000Z-test-0001"
        with connection.cursor() as cursor:
            cursor.execute("SELECT last_archived_wal >= %s FROM pg_stat_archiver", (found["segment"],))
            assert cursor.fetchone() == (True,)


def test_a_failing_archive_is_refused(archiving: LocalServer) -> None:
    archive_with(archiving, "false")
    with (
        contextlib.closing(archiving.connect()) as connection,
        pytest.raises(Refused, match=r"could not be archived|was not archived"),
    ):
        set_restore_point(connection, "run", wait_seconds=20)


def test_a_role_without_the_right_is_told_what_to_grant(archiving: LocalServer) -> None:
    archive_with(archiving, "true")
    with contextlib.closing(archiving.connect()) as connection:
        connection.autocommit = True
        connection.cursor().execute("CREATE ROLE plain")
        connection.cursor().execute("SET ROLE plain")
        connection.autocommit = False
        with pytest.raises(Refused, match="GRANT EXECUTE ON FUNCTION pg_create_restore_point"):
            set_restore_point(connection, "run")


def test_preflight_of_a_rollback_does_not_ask_for_the_room_of_a_dump(runs: StepRuns) -> None:
    runs.up_to("verify")
    runs.steps("smoke_test")
    runs.conclude()
    file = runs.folder / "file"
    file.write_text("no folder")
    back = runs.another("emergency_rollback")
    back.must("preflight", backup_dir=str(file))
    answer = back.step("backup", purpose="emergency", backup_dir=str(file))
    assert answer["outcome"] == "refused"
    assert "is not a folder" in answer["msg"]
    back = runs.another("emergency_rollback")
    back.must("preflight", backup_dir=str(file), take_over=answer["receipts"][-1]["run_id"])
    made = back.must("backup", purpose="emergency", backup_dir=str(file), full_max_mb=0)
    assert made["outputs"]["kind"] == "salvage"


@pytest.mark.parametrize("length", [52, 53, 120])
def test_a_restore_point_has_a_name_of_its_own_run(length: int) -> None:
    one, other = restore_point_name("a" * length), restore_point_name("a" * (length - 1) + "b")
    assert len(one) <= 60
    assert one != other
    assert (one == "runbook_" + "a" * length) is (length <= 52)
