# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""ansible-playbook is killed in a restore and its module works on; others come, and the same command ends it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.integration.restore_runs import slow_check
from tests.integration.stories.application import Application

SLOW_CHECK = slow_check("slow_restore")


def ask(application: Application, query: str, database: str = "postgres") -> list[tuple[Any, ...]]:
    with contextlib.closing(application.server.connect(database)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall() if cursor.description else []


def wait_for(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def slow(application: Application) -> Iterator[Application]:
    """The application, whose backup is restored only when the role is gone."""
    (database,) = application.databases
    ask(application, SLOW_CHECK, database)
    ask(application, "CREATE ROLE slow_restore")
    try:
        yield application
    finally:
        ask(application, "DROP ROLE IF EXISTS slow_restore")
        query = "SELECT datname FROM pg_database WHERE datname LIKE '{}\\_before\\_%' OR datname LIKE 'runbook\\_%'"
        for (name,) in ask(application, query.format(database)):
            ask(application, f'DROP DATABASE "{name}" WITH (FORCE)')


def test_the_controller_is_killed_in_the_middle_of_pg_restore(slow: Application) -> None:
    (database,) = slow.databases
    deploy = slow.deploy("002")
    assert deploy.status == 0, deploy.output
    command = ("playbooks/restore.yml", "-e", f"run_id={deploy.record['run_id']}")
    ask(slow, "INSERT INTO notes (body) VALUES ('since')", database)
    killed = slow.start(*command)
    at_work = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname LIKE 'runbook%'"
    wait_for(lambda: ask(slow, at_work) or killed.poll() is not None)
    assert killed.poll() is None, killed.stdout.read()
    killed.kill()
    killed.wait()

    # Its module works on: neither the same command nor a deploy may come in between.
    for arguments in (command, ("deploy.yml", "-e", "migration=003")):
        run = slow.run(*arguments)
        assert run.status != 0
        assert run.record["outcome"] == "refused", run.output
        assert "Another run is in progress in this database" in run.record["reason"]
    assert ask(slow, "SELECT count(*) FROM notes", database) == [(5,)], "the database answers meanwhile"

    ask(slow, "DROP ROLE slow_restore")
    wait_for(
        lambda: not ask(slow, "SELECT pid FROM pg_stat_activity WHERE application_name = 'pgops.runbook'")
    )
    assert ask(slow, "SELECT count(*) FROM pg_database WHERE datname LIKE 'runbook%'") == [(1,)]
    killed.stdout.close()
    run = slow.run(*command, "-e", "carry_over=true")
    assert (run.status, run.record["outcome"]) == (0, "restored"), run.output
    assert run.record["interrupted_run"] is not None
    assert "interrupted" in run.output
    assert ask(slow, "SELECT count(*) FROM notes", database) == [(5,)]
    assert ask(slow, "SELECT count(*) FROM pg_database WHERE datname LIKE 'runbook%'") == [(0,)]
    assert ask(slow, "SELECT outcome FROM runbook.run ORDER BY started", database) == [
        ("deployed",),
        ("failed",),
        ("restored",),
    ]
