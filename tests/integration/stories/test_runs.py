# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check mode, several hosts, and where passwords must not appear."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from tests.integration.stories.application import PROJECT, Application, prepare


def test_check_mode_writes_nothing_and_says_what_it_would_do(application: Application) -> None:
    before = application.contents()
    run = application.deploy("002", "--check")
    assert run.status == 0, run.output
    assert application.contents() == before
    assert not application.artifacts.exists()
    assert not application.backups.exists()
    assert "Check mode, nothing was written" in run.output
    assert "no obstacle to deploy of 002" in " ".join(run.output.split())


def test_check_mode_refuses_what_a_run_would_refuse(application: Application) -> None:
    before = application.contents()
    run = application.deploy("004", "--check")
    assert run.status != 0
    assert "migration 004 requires 003" in run.output
    assert application.contents() == before
    assert not application.artifacts.exists()


def test_check_mode_without_preflight_finds_nothing_out(application: Application) -> None:
    run = application.deploy("999", "--check", "--tags", "typo")
    assert run.status != 0, run.output
    assert "Preflight was left out, and nothing was looked at." in " ".join(run.output.split())
    assert "no obstacle" not in run.output


def test_nothing_begins_where_the_end_of_a_run_is_skipped(application: Application) -> None:
    before = application.contents()
    run = application.deploy("002", "--skip-tags", "always")
    assert run.status == 4, run.output
    assert "--skip-tags always would leave out how a run is ended" in " ".join(run.output.split())
    assert application.contents() == before
    assert not application.artifacts.exists()
    # What has no steps that could be chosen does all it does.
    shown = application.run("playbooks/status.yml", "--tags", "typo")
    assert shown.status == 0, shown.output
    assert "Receipts: 0, the chain is whole" in shown.output


def test_a_timeout_of_ansible_does_not_end_a_step_in_the_middle(application: Application) -> None:
    """The step would go on and commit, and the run say that production was not touched."""
    path = application.sql_dir / "migrations/002_author.sql"
    path.write_text(
        f"{path.read_text()}\nSELECT pg_sleep(2) WHERE current_database() NOT LIKE 'runbook%';",
        encoding="utf-8",
    )
    run = application.run("deploy.yml", "-e", "migration=002", env={"ANSIBLE_TASK_TIMEOUT": "1"})
    assert run.status == 0, run.output
    assert run.record["outcome"] == "deployed"


def test_several_hosts_and_a_relative_sql_dir(application: Application, database: str) -> None:
    second = f"{database}_b"
    with contextlib.closing(application.server.connect()) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {second}")
        try:
            prepare(application.server, second)
            application.databases.append(second)
            sql_dir = os.path.relpath(application.sql_dir, PROJECT)
            run = application.deploy("002", "-e", f"sql_dir={sql_dir}")
            assert run.status == 0, run.output
            found = [path.parent for path in application.artifacts.glob("*/run.json")]
            records = {folder.name for folder in found if not folder.is_symlink()}
            assert len(records) == 2, "a run of its own for each host"
            for name in (database, second):
                with contextlib.closing(application.server.connect(name)) as one, one.cursor() as of_one:
                    of_one.execute("SELECT count(*) FROM schema_migrations WHERE version = '002'")
                    assert of_one.fetchone() == (1,)
                    of_one.execute("SELECT run_id, outcome FROM runbook.run")
                    ((run_id, outcome),) = of_one.fetchall()
                    assert outcome == "deployed"
                    assert run_id in records
        finally:
            with connection.cursor() as cursor:
                cursor.execute(f"DROP DATABASE {second} WITH (FORCE)")


def observing_programs(folder: Path, bindir: str, log: Path) -> str:
    """Client programs that note the command lines of all processes before they do their work."""
    folder.mkdir()
    for name in ("pg_dump", "pg_restore"):
        (folder / name).write_text(
            f"#!/bin/sh\necho '{name} ran' >> '{log}'\n"
            f"cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' >> '{log}'\n"
            f"exec '{bindir}/{name}' \"$@\"\n",
            encoding="utf-8",
        )
        (folder / name).chmod(0o755)
    return str(folder)


def test_the_password_appears_nowhere(application: Application, tmp_path: Path) -> None:
    server, log = application.server, tmp_path / "processes"
    run = application.deploy(
        "002",
        "-vvv",
        env={"TEST_PASSWORD": server.password},
        db_host="127.0.0.1",
        db_password="{{ lookup('ansible.builtin.env', 'TEST_PASSWORD') }}",
        pg_bindir=observing_programs(tmp_path / "bin", server.bindir, log),
    )
    assert run.status == 0, run.output[-3000:]
    assert run.record["outcome"] == "deployed"
    assert len(server.password) > 20, "there was a password to leak"
    processes = log.read_text(encoding="utf-8", errors="replace")
    assert "pg_dump ran" in processes
    assert "pg_restore ran" in processes
    assert "host=127.0.0.1" in processes, "command lines of the programs were seen"
    assert server.password not in processes
    assert server.password not in run.output
    with (
        contextlib.closing(server.connect(application.databases[0])) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT string_agg(document, '') FROM runbook.receipt")
        assert server.password not in cursor.fetchone()[0]
    written = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink()]
    assert {path.name for path in written} >= {"run.json", "manifest.json", "toc.dat"}
    secret = server.password.encode()
    assert [path for path in written if secret in path.read_bytes()] == []


def test_backups_are_for_their_owner_only(application: Application) -> None:
    """A rehearsal makes one too, and leaves production as it was."""
    before = application.contents()
    run = application.run("playbooks/rehearse.yml", "-e", "migration=002")
    assert (run.status, run.record["outcome"]) == (0, "rehearsed"), run.output
    assert application.contents() == before, "no ledger, no copy, no change"
    (folder,) = application.backups.iterdir()
    modes = {path: path.stat().st_mode & 0o777 for path in [folder, *folder.rglob("*")]}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
