# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bad input: each ends with one clear sentence, a non-zero exit, ``outcome: refused``, and nothing changed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.ledger import Ledger
from ansible_collections.pgops.runbook.plugins.plugin_utils.record.controller import this_controller

from demo.local_server import LocalServer
from demo.server_process import free_port
from tests.integration.restore_runs import drop_beside
from tests.integration.step_runs import StepRuns
from tests.integration.stories.application import Application, Run, contents, prepare, write_scripts
from tests.streaming import execute


@pytest.fixture(scope="module")
def prepared(server: LocalServer, scripts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One database for all refusals: none of them may change it, nor make a copy beside it."""
    name = "refusals"
    # Copies that killed runs of other tests left would be dropped by the first test here that begins a story.
    drop_beside(StepRuns(server, "postgres", tmp_path_factory.mktemp("refusals")))
    with contextlib.closing(server.connect()) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
        prepare(server, name)
        yield name
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def untouched(server: LocalServer, prepared: str) -> Any:
    return contents(server, prepared)


@pytest.fixture
def refusals(server: LocalServer, prepared: str, scripts: Path, tmp_path: Path) -> Application:
    return Application(server, tmp_path, scripts, [prepared])


def check_refused(run: Run, reason: str) -> None:
    assert run.status not in (0, None), run.output
    assert "Traceback" not in run.output
    assert run.record["outcome"] == "refused", run.output
    assert run.record["failed_step"] == "preflight"
    assert re.search(reason, run.record["reason"]), run.record["reason"]
    assert "\n" not in run.record["reason"]
    assert run.record["reason"] in run.output.replace("\n", " ") or run.record["reason"][:60] in run.output
    assert not re.search(r"[.?!][.!?]", run.record["reason"].replace("..", "")), "one full stop a sentence"
    assert [step["status"] for step in run.record["steps"]] == ["failed"], "no step after the refusal"


def check_code(run: Run, code: str) -> None:
    """For programs the code stands beside the sentence: of the run, of the step, and in what is printed."""
    assert run.record["reason_code"] == run.record["steps"][-1]["reason_code"] == code
    assert f"Reason code: {code}" in run.output


SCRIPT_PROBLEMS = {
    "no migration": ("migration_not_named", None, "No migration is named: -e migration=<version>"),
    "empty migration": ("migration_not_named", "", "No migration is named: -e migration=<version>"),
    "unknown": ("migration_unknown", "077", r"no migration '077' in .*; it has .*001, 002"),
    "SQL in the name": ("migration_unknown", "009; DROP TABLE notes", "no migration '009; DROP TABLE notes'"),
    "path in the name": ("migration_unknown", "../../etc/passwd", r"no migration '\.\./\.\./etc/passwd'"),
    "ambiguous number": ("migration_ambiguous", "016", "016 is ambiguous: 016_a and 016_b"),
    "already applied": ("already_applied", "001", "Migration 001 is already applied"),
    "unmet requirement": (
        "requirement_not_applied",
        "004",
        r"'dependencies identified': migration 004 requires 003",
    ),
    "syntax error": (
        "script_syntax_error",
        "010",
        r"010_syntax\.sql, line 4, column 21: syntax error at or near",
    ),
    "rollback missing": (
        "rollback_script_missing",
        "011",
        r"'rollback script exists': .*rollback/011_no_rollback_rollback\.sql",
    ),
    "rollback empty": (
        "rollback_script_missing",
        "012",
        r"'rollback script exists': rollback/012_empty_rollback_rollback\.sql has no statement",
    ),
    "psql meta-command": (
        "script_not_plain_sql",
        "014",
        r"014_meta\.sql, line 2, column 1: \\i is a meta-command of psql",
    ),
    "outside of this database": (
        "statement_not_resumable",
        "017",
        r"'migration runs in one transaction': migrations/017_outside\.sql line 2",
    ),
}


@pytest.mark.parametrize("case", SCRIPT_PROBLEMS)
def test_migrations_that_cannot_be_deployed(refusals: Application, untouched: Any, case: str) -> None:
    code, migration, reason = SCRIPT_PROBLEMS[case]
    given = [] if migration is None else ["-e", json.dumps({"migration": migration})]
    run = refusals.run("deploy.yml", *given)
    check_refused(run, reason)
    check_code(run, code)
    assert refusals.contents() == [untouched]
    assert not refusals.backups.exists()


CONNECTION_PROBLEMS = {
    "unreachable server": (
        "server_unreachable",
        {"db_host": "127.0.0.1", "db_port": 1},
        "Cannot connect to database .*Connection refused",
    ),
    "unreachable socket": (
        "server_unreachable",
        {"db_host": "/nowhere"},
        r"Cannot connect .*/nowhere/\.s\.PGSQL",
    ),
    "wrong password": (
        "server_unreachable",
        {"db_host": "127.0.0.1", "db_password": "quite-wrong-0815"},
        "password authentication failed for user",
    ),
    "no such database": (
        "server_unreachable",
        {"db_name": "nowhere_at_all"},
        'database "nowhere_at_all" does not exist',
    ),
    "no database named": ("setting_invalid", {"db_name": ""}, "No database is named. Set db_name"),
}


@pytest.mark.parametrize("case", CONNECTION_PROBLEMS)
def test_servers_that_cannot_be_used(refusals: Application, untouched: Any, case: str) -> None:
    code, variables, reason = CONNECTION_PROBLEMS[case]
    run = refusals.deploy("002", **variables)
    check_refused(run, reason)
    check_code(run, code)
    assert "quite-wrong-0815" not in run.output + json.dumps(run.record)
    assert refusals.contents() == [untouched]
    assert not refusals.backups.exists()


def test_a_time_zone_that_there_is_not(refusals: Application, untouched: Any) -> None:
    window = {"start": "22:00", "end": "05:00", "timezone": "Europe/Brelin"}
    run = refusals.deploy("002", maintenance_window_hours=[window])
    check_refused(run, "maintenance_window_hours: there is no time zone 'Europe/Brelin'")
    check_code(run, "setting_invalid")
    assert refusals.contents() == [untouched]


def test_older_client_programs(refusals: Application, untouched: Any, tmp_path: Path) -> None:
    bindir = tmp_path / "old"
    bindir.mkdir()
    for name in ("pg_dump", "pg_restore"):
        (bindir / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) 15.13'\n", encoding="utf-8")
        (bindir / name).chmod(0o755)
    check_refused(
        refusals.deploy("002", pg_bindir=str(bindir)), r"old/pg_dump is version 15 and the server is \d+"
    )
    assert refusals.contents() == [untouched]


def test_backup_dir_that_cannot_be_written(refusals: Application, untouched: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    backup_dir = str(tmp_path / "file" / "backups")
    check_refused(
        refusals.deploy("002", backup_dir=backup_dir), r"backup_dir .* is not a folder: .*/file is a file"
    )
    assert refusals.contents() == [untouched]


def test_artifacts_dir_that_cannot_be_written(refusals: Application, untouched: Any, tmp_path: Path) -> None:
    """There can be no run.json to say so: the sentence is in the last failed task."""
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    run = refusals.deploy("002", artifacts_dir=str(tmp_path / "file" / "artifacts"))
    assert run.status != 0
    assert "Nothing was done: a run that cannot be recorded does not start" in run.output
    assert "run.json could not be written: Not a directory" in " ".join(
        run.output.split("Close the run")[-1].split()
    )
    assert "Errno" not in run.output
    assert refusals.contents() == [untouched]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    mount_point = tmp_path / "small"
    mount_point.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "pgops-test", str(mount_point)],
        capture_output=True,
        text=True,
    )
    if mounted.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield mount_point
    finally:
        subprocess.run(["umount", "--lazy", str(mount_point)], check=True)


def test_backup_dir_that_is_too_small(refusals: Application, untouched: Any, small_disk: Path) -> None:
    run = refusals.deploy("002", backup_dir=str(small_disk / "backups"))
    check_refused(run, r"has [01] MiB free, but the database has \d+ MiB\. Make room")
    assert refusals.contents() == [untouched]
    assert list(small_disk.iterdir()) == []


@pytest.fixture
def standby(server: LocalServer) -> Iterator[tuple[str, int]]:
    """A real standby of the test server: (socket folder, port)."""
    folder = Path(tempfile.mkdtemp(prefix="pgops-standby-", dir="/var/tmp"))
    account: dict[str, Any] = {"cwd": folder}
    if os.geteuid() == 0:
        shutil.chown(folder, server.os_user)
        account.update(user=server.os_user, group=server.os_user, extra_groups=[])
    process = None
    try:
        subprocess.run(
            [
                f"{server.bindir}/pg_basebackup",
                *(f"--host={server.host}", f"--port={server.port}", f"--username={server.user}"),
                *(f"--pgdata={folder}/data", "--write-recovery-conf", "--checkpoint=fast", "--no-sync"),
            ],
            check=True,
            capture_output=True,
            **account,
        )
        port = free_port()
        process = subprocess.Popen(
            [
                f"{server.bindir}/postgres",
                *("-D", f"{folder}/data", "-p", str(port), "-c", f"unix_socket_directories={folder}"),
                *("-c", "listen_addresses="),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **account,
        )
        if os.geteuid() == 0:
            folder.chmod(0o711)
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg2.connect(host=str(folder), port=port, user=server.user, dbname="postgres").close()
                break
            except psycopg2.OperationalError:
                assert process.poll() is None, "the standby ended"
                assert time.monotonic() < deadline, "the standby does not answer"
                time.sleep(0.1)
        yield str(folder), port
    finally:
        if process is not None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def test_a_standby(refusals: Application, untouched: Any, standby: tuple[str, int]) -> None:
    host, port = standby
    run = refusals.deploy("002", db_host=host, db_port=port)
    check_refused(run, r"is a standby, .*Set db_host to the primary")
    assert refusals.contents() == [untouched]


LEASE_OVER = "UPDATE runbook.run SET lease_until = clock_timestamp() - interval '1 s'"


@pytest.mark.parametrize("where", ["here", "in another container"])
def test_a_run_between_two_steps_holds_the_database(application: Application, where: str) -> None:
    """Its controller lives: it is this process, whatever the clock says, or one that cannot be seen from here."""
    ledger, database = Ledger(), application.databases[0]
    controller = {**this_controller(), "pid": os.getpid()}
    stat = Path(f"/proc/{os.getpid()}/stat").read_text(encoding="utf-8")
    controller["process_start"] = stat.rsplit(")", 1)[-1].split()[19]
    if where == "in another container":
        # The same kernel, and a process that here is none or somebody else's.
        controller |= {"pid_namespace": "pid:[4026539999]", "process_start": "1"}
    with (
        contextlib.closing(application.server.connect(database)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        ledger.create(cursor)
        ledger.open_run(cursor, "20260101T000000Z-other-0001", "deploy", ["003"], "ada@desk", controller)
        if where == "here":
            cursor.execute(LEASE_OVER)
    before = application.contents()
    run = application.deploy("002")
    check_refused(
        run,
        r"Another run is in progress in this database: 20260101T000000Z-other-0001 \(deploy of 003\) by ada@desk,"
        + (rf".*alive: process {os.getpid()} on this machine" if where == "here" else "")
        + r".*-e take_over=20260101T000000Z-other-0001",
    )
    assert application.contents() == before
    if where != "here":
        execute(application.server, LEASE_OVER, database=database)
        assert application.deploy("002", "--check").status == 0, "nobody can see whether it lives"


def test_a_rollback_of_what_is_not_applied(refusals: Application, untouched: Any) -> None:
    run = refusals.run("emergency_rollback.yml", "-e", "migration=002")
    check_refused(run, "Migration 002 is not applied")
    assert refusals.contents() == [untouched]
    assert not refusals.backups.exists()


def test_scripts_that_cannot_be_read_stop_only_what_needs_them(
    application: Application, tmp_path: Path
) -> None:
    application.sql_dir = write_scripts(tmp_path / "sql")
    (application.sql_dir / "migrations" / "003_tag.sql").write_bytes(b"-- \xff\n")
    (application.sql_dir / "migrations" / "004_after_tag.sql").write_text(
        "-- Data Loss: some\n", encoding="utf-8"
    )
    before = application.contents()
    for wanted in ("003", "pending"):
        check_refused(application.deploy(wanted), r"migrations/003_tag\.sql, line 1.*UTF-8")
    check_refused(application.deploy("004"), r"requires 002, 003|Data Loss")
    assert application.contents() == before
    rehearsed = application.run("playbooks/rehearse.yml", "-e", "migration=all")
    assert rehearsed.status != 0
    for name in ("003_tag.sql", "004_after_tag.sql"):
        assert name in rehearsed.record["reason"], "all of them"
    deployed = application.deploy("002")
    assert (deployed.status, deployed.record["outcome"]) == (0, "deployed"), deployed.output
    assert "is left alone as long as nothing needs it" in " ".join(deployed.output.split())
    (application.sql_dir / "migrations" / "005 odd.sql").write_text("SELECT 1;", encoding="utf-8")
    check_refused(application.deploy("pending"), r"005 odd\.sql|003_tag\.sql")
    (application.sql_dir / "migrations" / "005 odd.sql").unlink()
    run = application.run("emergency_rollback.yml", "-e", "migration=001", "-e", "cascade=true")
    assert (run.status, run.record["outcome"]) == (0, "rolled_back"), run.output
    status = application.run("playbooks/status.yml")
    assert status.status == 0, status.output
    assert "UNUSABLE, and not deployed until it is corrected: " in status.output
    assert "003_tag.sql" in status.output


def test_a_variable_of_another_type_is_refused_before_anything_is_touched(
    refusals: Application, untouched: Any
) -> None:
    run = refusals.deploy("002", abort_blocked_sessions="abc")
    assert (run.status, run.record["outcome"]) == (2, "refused"), run.output
    told = "abort_blocked_sessions is a text, and has to be a whole number"
    assert told in run.output
    assert told in run.record["reason"]
    assert run.record["reason_code"] == "setting_invalid"
    assert "State: Production was not touched." in run.output
    assert refusals.contents() == [untouched]


def test_so_is_one_with_which_nothing_can_be_recorded(refusals: Application, untouched: Any) -> None:
    run = refusals.deploy("002", artifacts_dir=["a"])
    assert run.status == 2
    assert run.output.rstrip().endswith(
        "State: Production was not touched. Correct what is wrong above, and type the same command again."
    )
    assert refusals.contents() == [untouched]
