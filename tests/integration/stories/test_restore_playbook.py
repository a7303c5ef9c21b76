# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""playbooks/restore.yml from the command line, after a deploy and its rollback have failed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.stories.application import Application, write_scripts_of_a_failed_rollback


def ask(application: Application, query: str, database: str | None = None) -> list[tuple]:
    name = database or application.databases[0]
    with contextlib.closing(application.server.connect(name)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        rows = cursor.fetchall() if cursor.description else []
        connection.commit()
        return rows


@pytest.fixture
def restorable(application: Application) -> Iterator[Application]:
    """The application; databases that restores replaced are dropped."""
    yield application
    database = application.databases[0]
    with contextlib.closing(application.server.connect()) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"SELECT datname FROM pg_database WHERE datname LIKE '{database}\\_before\\_%'")
        for (name,) in cursor.fetchall():
            cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_a_failed_rollback_offers_the_restore_that_puts_the_backup_back(
    restorable: Application, tmp_path: Path
) -> None:
    """The deploy fails after COMMIT and its rollback script too; what the report says is typed."""
    sql_dir = write_scripts_of_a_failed_rollback(tmp_path / "sql")
    before = ask(restorable, "SELECT * FROM notes ORDER BY id")
    run = restorable.deploy("002", "-e", f"sql_dir={sql_dir}")
    assert run.status != 0
    assert run.record["outcome"] == "failed", run.output
    assert "The automatic rollback failed too" in run.record["reason"]
    source = run.record["run_id"]
    command = f"ansible-playbook playbooks/restore.yml -e sql_dir={sql_dir} -e run_id={source}"
    assert command in run.output.replace("\n", " "), "the person on call is told what to type"
    assert ask(restorable, "SELECT version FROM schema_migrations ORDER BY 1") == [("001",), ("002",)]

    ask(restorable, "INSERT INTO notes (body, author) VALUES ('since', 'ada')")
    run = restorable.run(*command.split()[1:], "-e", "carry_over=true")
    assert (run.status, run.record["outcome"]) == (0, "restored"), run.output
    assert run.record["run_id"] != source
    assert (run.record["playbook"], run.record["migrations"]) == ("restore", ["002"])
    assert run.record["proof"]["schema_restored"] is run.record["proof"]["data_restored"] is True
    steps = [(step["step"], step["status"]) for step in run.record["steps"]]
    assert steps == [(name, "ok") for name in ("preflight", "restore", "count_rows", "swap", "smoke_test")]
    replaced = run.record["restore"]["replaced"]
    assert f"database {replaced} holds what production was" in run.output
    assert "public.notes: 1 added" in run.output
    assert "column public.notes.author, in 1 rows" in run.output
    assert ask(restorable, "SELECT version FROM schema_migrations") == [("001",)]
    assert ask(restorable, "SELECT * FROM notes ORDER BY id") == [*before, (5, "since")]
    assert ask(restorable, "SELECT author FROM notes WHERE body = 'since'", replaced) == [("ada",)]
    assert ask(restorable, "SELECT outcome FROM runbook.run ORDER BY started") == [("failed",), ("restored",)]
    assert "Traceback" not in run.output


def test_a_failed_rollback_is_followed_by_the_restore_where_that_was_asked_for(
    restorable: Application, tmp_path: Path
) -> None:
    """As README has it: typed with -e, and so as a text."""
    sql_dir = write_scripts_of_a_failed_rollback(tmp_path / "sql")
    before = ask(restorable, "SELECT * FROM notes ORDER BY id")
    run = restorable.deploy("002", "-e", f"sql_dir={sql_dir}", "-e", "auto_restore=true")
    assert run.status != 0
    assert run.record["outcome"] == "restored", run.output
    assert "The backup of this run was put back" in run.record["reason"]
    assert ask(restorable, "SELECT version FROM schema_migrations") == [("001",)]
    assert ask(restorable, "SELECT * FROM notes ORDER BY id") == before
