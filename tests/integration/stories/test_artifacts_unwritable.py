# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the moment of apply nothing can be written on the controller: what is done and said is what is true."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.stories.application import Application, Run, write_scripts
from tests.integration.stories.test_second_run import wait_for

WAITING = "SELECT FROM pg_locks WHERE NOT granted AND relation = 'notes'::regclass"
COLUMN = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'notes'::regclass AND attname = 'author'"
# Passes before COMMIT, and fails afterwards.
FAILS_AFTERWARDS = """
    SELECT NOT EXISTS (SELECT FROM runbook.receipt WHERE step = 'apply')
        OR NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'notes'::regclass AND attname = 'author');
"""


def deploy_with_a_full_disk(application: Application) -> tuple[Run, Callable[[str], list[tuple]]]:
    """A deploy during whose apply the folder of the run becomes one in which run.json cannot be replaced."""
    (database,) = application.databases

    def ask(query: str) -> list[tuple]:
        with contextlib.closing(application.server.connect(database)) as other, other.cursor() as asking:
            asking.execute(query)
            return asking.fetchall()

    with contextlib.closing(application.server.connect(database)) as reader, reader.cursor() as cursor:
        # A reader's transaction keeps ALTER TABLE waiting, and nothing before it.
        cursor.execute("SELECT FROM notes")
        process = application.start(
            "deploy.yml", "-e", "migration=002", lock_timeout_seconds=120, lock_attempts=1
        )
        wait_for("apply waiting for its lock", lambda: bool(ask(WAITING)))
        (folder,) = (path for path in application.artifacts.iterdir() if not path.is_symlink())
        # Also root, for whom no folder is read-only, cannot write a file where a folder is.
        (folder / "run.part").mkdir()
        reader.rollback()
    return application.finish(process), ask


def test_a_migration_that_is_in_production_is_not_said_to_be_elsewhere(application: Application) -> None:
    run, ask = deploy_with_a_full_disk(application)
    assert run.status != 0
    assert ask(COLUMN) == [(1,)]
    assert ask("SELECT outcome FROM runbook.run") == [("deployed",)]
    said = " ".join(run.output.split())
    assert "deployed: 002 on" in said
    assert "State: Production has the migration." in said
    assert "run.json could not be written: Is a directory" in said
    assert "not touched" not in said
    assert "Record: could not be written; the ledger in the database has it" in said
    assert "/run.json is not" not in said
    status = application.run("playbooks/status.yml")
    assert (status.status, "002" in status.output) == (0, True)
    assert "CHANGED" not in status.output, "what is there is of an earlier step"


@pytest.fixture
def failing(application: Application, tmp_path: Path) -> Application:
    application.sql_dir = write_scripts(tmp_path / "sql")
    (application.sql_dir / "smoke").mkdir(exist_ok=True)
    (application.sql_dir / "smoke" / "notes.sql").write_text(FAILS_AFTERWARDS, encoding="utf-8")
    return application


def test_what_fails_after_it_is_taken_back_all_the_same(failing: Application) -> None:
    run, ask = deploy_with_a_full_disk(failing)
    assert run.status != 0
    assert ask(COLUMN) == [(0,)], run.output
    assert ask("SELECT outcome FROM runbook.run") == [("rolled_back",)]
    said = " ".join(run.output.split())
    assert "rolled_back: 002 on" in said
    assert "run.json could not be written: Is a directory" in said
    assert "not touched" not in said
