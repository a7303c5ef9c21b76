# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Two runs in one database: the second is refused, and takes over when the first one's controller is dead."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable

from ansible_collections.pgops.runbook.plugins.module_utils.backup.copy import copy_name

from tests.integration.stories.application import Application


def wait_for(what: str, condition: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen in {seconds} s"
        time.sleep(0.1)


def test_second_run_is_refused_and_the_run_after_a_kill_takes_over(application: Application) -> None:
    (database,) = application.databases
    with (
        contextlib.closing(application.server.connect(database)) as reader,
        contextlib.closing(application.server.connect(database)) as observer,
    ):
        observer.autocommit = True

        def ask(query: str) -> list[tuple]:
            with observer.cursor() as cursor:
                cursor.execute(query)
                return cursor.fetchall()

        # A reader's transaction keeps ALTER TABLE waiting, and nothing before it.
        with reader.cursor() as cursor:
            cursor.execute("SELECT FROM notes")
        first = application.start(
            "deploy.yml", "-e", "migration=002", lock_timeout_seconds=120, lock_attempts=1
        )
        try:
            waiting = "SELECT FROM pg_locks WHERE NOT granted AND relation = 'notes'::regclass"
            wait_for("the first run waiting for its lock", lambda: bool(ask(waiting)))
            ((first_id,),) = ask("SELECT run_id FROM runbook.run")

            second = application.deploy("003")
            assert second.status != 0
            assert second.record["outcome"] == "refused"
            assert "Another run is in progress in this database" in second.record["reason"]
            assert first_id in second.record["reason"]
            assert "Traceback" not in second.output
            assert ask("SELECT run_id FROM runbook.run") == [(first_id,)], "a refusal opens no run"
            assert ask("SELECT to_regclass('tag')") == [(None,)]

            before = (application.artifacts / first_id / "run.json").read_bytes()
            joined = application.run("deploy.yml", "-e", f"run_id={first_id}", "--tags", "smoke_test")
            assert joined.status != 0
            assert f"Run {first_id} is at work in another command" in joined.output
            assert joined.record["run_id"] != first_id
            assert joined.record["outcome"] == "refused"
            assert (application.artifacts / first_id / "run.json").read_bytes() == before
            assert ask("SELECT finished FROM runbook.run") == [(None,)]
        finally:
            os.kill(first.pid, signal.SIGKILL)
            first.wait()
            first.stdout.close()
        # A killed controller does not kill its module, which goes on as soon as it gets its lock.
        reader.rollback()
        columns = (
            "SELECT FROM pg_attribute WHERE attrelid = 'notes'::regclass AND attname = 'author'"
            " AND NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory')"
        )
        wait_for("the orphaned module's commit", lambda: bool(ask(columns)))
        # As if the kill had hit the restore: its copy would lie about for ever.
        copy = copy_name(first_id)
        with observer.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {copy}")
            cursor.execute(f"COMMENT ON DATABASE {copy} IS 'migration runbook: copy of run {first_id}'")

        third = application.deploy("003")
        assert third.status == 0, third.output
        assert third.record["outcome"] == "deployed"
        interrupted = third.receipt("preflight")["outputs"]["interrupted_run"]
        assert (interrupted["run_id"], interrupted["migrations"]) == (first_id, ["002"])
        assert f"run {first_id} (deploy of 002) was interrupted; it had applied 002" in third.output
        assert ask("SELECT version FROM schema_migrations ORDER BY 1") == [("001",), ("002",), ("003",)]
        ((outcome, reason),) = ask(f"SELECT outcome, reason FROM runbook.run WHERE run_id = '{first_id}'")
        gone = f"its controller was gone when run {third.record['run_id']} began"
        assert (outcome, reason) == ("failed", f"it had applied 002; its end was not recorded: {gone}")
        applied = f"SELECT status FROM runbook.receipt WHERE run_id = '{first_id}' AND step = 'apply'"
        assert ask(applied) == [("ok",)], "the ledger tells what the orphan committed"
        # By name: other tests have copies of their own on this server.
        copies = (copy, copy_name(third.record["run_id"]))
        assert ask(f"SELECT datname FROM pg_database WHERE datname IN {copies}") == []
