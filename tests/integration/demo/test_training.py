# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The hour of training, played: what each task says is typed as it stands there, on a small library of the demo."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg2 import sql

from demo.load_library import DATABASE, load
from demo.local_server import LocalServer
from tests.integration.restore_runs import wait_for
from tests.integration.stories.application import PROJECT, Application, Run
from tests.training_page import Task, tasks

TASKS = tasks()
FILES = 60


class Trainee:
    """Whoever does the tasks: a database, and two shells."""

    def __init__(self, server: LocalServer, application: Application) -> None:
        self.server = server
        self.application = application

    def psql(self, statement: str) -> list[tuple[Any, ...]]:
        with (
            contextlib.closing(self.server.connect(DATABASE)) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def type(self, arguments: list[str], **named: str) -> Run:
        """One ansible-playbook of the page, with the name of a run in its place."""
        words = [word.replace("<run_id>", named.get("run_id", "<run_id>")) for word in arguments]
        return self.application.run(*words)

    def solve(self, task: Task, *outcomes: str, **named: str) -> list[Run]:
        """Type the commands of a solution, each of which has to end as it is said."""
        runs = []
        for arguments, outcome in zip(task.commands, outcomes, strict=True):
            run = self.type(arguments, **named)
            assert (run.status == 0) is (outcome != "refused"), run.output
            if outcome:
                assert f"{outcome}: " in run.output, run.output
            runs.append(run)
        return runs

    def deploy(self) -> Run:
        run = self.application.deploy("009")
        assert run.record["outcome"] == "deployed", run.output
        return run


@pytest.fixture
def trainee(server: LocalServer, tmp_path: Path) -> Iterator[Trainee]:
    """As after `make demo`, but for the deploy; what restores left goes with the database."""
    sql_dir = Path(shutil.copytree(PROJECT / "sql", tmp_path / "sql"))
    # So that nobody waits long for a lock that nobody gives.
    impatient = {"lock_timeout_seconds": 0.2, "lock_attempts": 3, "lock_pause_seconds": 0.1}
    load(server, sql_dir, FILES, io.StringIO())
    try:
        yield Trainee(server, Application(server, tmp_path, sql_dir, [DATABASE], impatient))
    finally:
        with contextlib.closing(server.connect()) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT datname FROM pg_database WHERE datname ~ %s", (f"^{DATABASE}(_before_.*)?$",)
                )
                for (name,) in cursor.fetchall():
                    cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_reading_taking_back_and_an_edited_script(trainee: Trainee) -> None:
    """Tasks 1, 2, 3 and 8."""
    deploy = trainee.deploy()
    assert "Locked by 009: public.files" in deploy.output
    assert "Roll back: ansible-playbook" in deploy.output
    report = (trainee.application.artifacts / "latest" / "report.html").read_text(encoding="utf-8")
    assert ">Impact<" in report

    for statement in TASKS[2].statements:
        trainee.psql(statement)
    back, again = trainee.solve(TASKS[2], "rolled_back", "deployed")
    assert re.search(r"Kept: 1 .*copyright", back.output), back.output
    assert "Put back: 1 row of public.files (dropped columns)" in again.output
    written = "SELECT manufacturer FROM files WHERE id = 1 UNION ALL SELECT copyright FROM files WHERE id = 2"
    assert trainee.psql(written) == [("training",), ("training",)]
    (command,) = re.findall(r"`ansible-playbook (playbooks/salvage\.yml)`", TASKS[2].solution)
    assert trainee.application.run(command).status == 0

    script = trainee.application.sql_dir / "rollback" / "009_text_metadata_rollback.sql"
    (line,) = re.findall(r"`(-- \w+)`", TASKS[3].question)
    script.write_text(f"{script.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")
    refused = trainee.application.run("emergency_rollback.yml", "-e", "migration=009")
    (code,) = re.findall(r"reason code is `(\w+)`", TASKS[3].solution)
    assert refused.record["reason_code"] == code
    assert "-e accept_edited_scripts=009" in refused.output
    (back,) = trainee.solve(TASKS[3], "rolled_back")
    record = back.record
    assert record["consents"] == {"accept_edited_scripts": "009"}

    (history,) = trainee.solve(TASKS[8], "")
    # A refusal by preflight writes nothing to production, and so is not one of them.
    assert f"{DATABASE}: 4 runs" in history.output
    assert record["operator"]
    assert "sql_commit" in record


def test_somebody_sits_on_a_lock(trainee: Trainee) -> None:
    """Task 4."""
    begin, select = TASKS[4].statements[0].split("; ")
    with contextlib.closing(trainee.server.connect(DATABASE)) as reader, reader.cursor() as cursor:
        # psycopg2 begins by itself.
        assert begin == "BEGIN"
        cursor.execute(select)
        pid = reader.info.backend_pid
        run = trainee.application.deploy("009")
        record = run.record
        assert record["outcome"] == "unchanged", run.output
        assert str(pid) in record["reason"]
        assert "lock" in run.output
        assert "ROLLBACK;" in TASKS[4].statements
        reader.rollback()
    assert trainee.psql("SELECT to_regclass('schema_migrations') IS NOT NULL") == [(True,)]
    trainee.deploy()


def test_the_controller_dies(trainee: Trainee) -> None:
    """Task 5: as `pkill -f` does, all processes of the command are killed."""
    application = trainee.application
    assert "`pkill -KILL -f 'ansible-playbook deploy.yml'`" in TASKS[5].question
    # Its environment has something of Ansible's, so that it is a process of its own.
    process = application.start("deploy.yml", "-e", "migration=009", env={"ANSIBLE_NOCOWS": "1"})
    wait_for(lambda: list(application.artifacts.glob("*/receipts/*_backup.json")))
    for pid in _named(f"{application.folder}/inventory.yml"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.communicate(timeout=60)
    (killed,) = (
        path.name for path in application.artifacts.iterdir() if path.is_dir() and not path.is_symlink()
    )
    status, deploy = trainee.solve(TASKS[5], "", "deployed")
    assert killed in status.output
    record = deploy.record
    assert record["interrupted_run"]["run_id"] == killed


def _named(word: str) -> list[int]:
    """Processes with this word in their command line, as pkill -f finds them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if word.encode() in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found


def test_the_backup_comes_back_with_what_was_written_since(trainee: Trainee) -> None:
    """Task 6."""
    run_id = trainee.deploy().record["run_id"]
    (statement,) = TASKS[6].statements
    trainee.psql(statement)
    refused, restored = trainee.solve(TASKS[6], "refused", "restored", run_id=run_id)
    assert run_id in refused.output
    assert trainee.psql("SELECT count(*) FROM tags WHERE name = 'after the backup'") == [(1,)]
    (replaced,) = trainee.psql(
        f"SELECT datname FROM pg_database WHERE datname LIKE '{DATABASE}\\_before\\_%'"
    )
    assert replaced[0] in restored.output


def test_how_long_it_would_take(trainee: Trainee) -> None:
    """Task 7: production is only read, but for the line of the drill."""
    before = trainee.application.contents(ledger=False)
    drill, history = trainee.solve(TASKS[7], "drilled", "")
    assert trainee.application.contents(ledger=False) == before
    for phase in ("deploy", "rollback", "restore"):
        assert re.search(rf"\b{phase}\b.* s\b", drill.output), drill.output
    assert f"{DATABASE}: 1 " in history.output


def test_each_task_is_done_here() -> None:
    played = "\n".join(str(test.__doc__) for name, test in globals().items() if name.startswith("test_"))
    (lists,) = [re.findall(r"\d+", line) for line in [" ".join(re.findall(r"Tasks? [\d, and]+", played))]]
    assert sorted(map(int, lists)) == sorted(TASKS)
