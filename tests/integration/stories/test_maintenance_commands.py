# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The commands around a run: others are told, and the application is out of service for as long as it has to be."""

from __future__ import annotations

import contextlib
import json
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from demo.local_server import LocalServer
from tests.fresh_database import fresh_database
from tests.integration.restore_runs import drop_what_restores_left
from tests.integration.step_runs import StepRuns
from tests.integration.stories.application import Application, Run, prepare

# Notes its name, the databases that there are, and what it gets on standard input; then ends as it is told.
COMMAND = """#!/bin/sh
{{ echo "$1"; '{psql}' -XAt -h '{host}' -p {port} -U {user} -c "SELECT datname FROM pg_database \\
WHERE datname LIKE '{database}\\_before\\_%' OR datname LIKE 'runbook%' ORDER BY 1" postgres | tr '\\n' ' '
echo; if [ "$1" = announce ]; then cat; fi; echo; echo '--'; }} >> '{log}'
if [ "$1" = "$(cat '{fails}')" ]; then echo 'the load balancer does not answer' >&2; exit 3; fi
"""


class Commands:
    """The commands of the maintenance window and of the announcement, and what they saw."""

    def __init__(self, application: Application, folder: Path) -> None:
        server, self.script = application.server, folder / "command"
        self.log, self.fails = folder / "log", folder / "fails"
        self.script.write_text(
            COMMAND.format(
                psql=Path(server.bindir, "psql"),
                host=server.host,
                port=server.port,
                user=server.user,
                database=application.databases[0],
                log=self.log,
                fails=self.fails,
            ),
            encoding="utf-8",
        )
        self.script.chmod(0o755)
        self.fails.write_text("none", encoding="utf-8")
        application.variables.update(
            maintenance_window_open_command=[str(self.script), "open"],
            maintenance_window_close_command=[str(self.script), "close"],
            announce_command=[str(self.script), "announce"],
        )

    def let_fail(self, name: str) -> None:
        self.fails.write_text(name, encoding="utf-8")

    def seen(self) -> list[tuple[str, list[str], Any]]:
        """(name, databases beside the live one, announcement) of each call since the last look."""
        text = self.log.read_text(encoding="utf-8") if self.log.exists() else ""
        self.log.unlink(missing_ok=True)
        calls = [part.split("\n") for part in text.split("--\n") if part.strip()]
        return [
            (lines[0], lines[1].split(), json.loads(lines[2]) if lines[0] == "announce" else None)
            for lines in calls
        ]


@pytest.fixture
def commands(application: Application, tmp_path: Path) -> Commands:
    return Commands(application, tmp_path)


@dataclass
class Deployed:
    """An application with its commands, and the run that deployed 002."""

    application: Application
    commands: Commands
    run_id: str

    def restore(self, **variables: Any) -> Run:
        return restore(self.application, self.run_id, **variables)


@pytest.fixture(scope="module")
def deployed_once(
    server: LocalServer, scripts: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    """One deploy for all tests that restore what it had backed up."""
    folder = tmp_path_factory.mktemp("deployed")
    with fresh_database(server) as database:
        prepare(server, database)
        application = Application(server, folder, scripts, [database])
        commands = Commands(application, folder)
        run = application.deploy("002")
        assert run.status == 0, run.output
        assert [name for name, *_ in commands.seen()] == ["announce", "open", "close", "announce"]
        yield Deployed(application, commands, run.record["run_id"])


@pytest.fixture
def deployed(deployed_once: Deployed, tmp_path: Path) -> Iterator[Deployed]:
    """Its commands do not fail; databases that the restore replaced are dropped."""
    deployed_once.commands.let_fail("none")
    deployed_once.commands.seen()
    yield deployed_once
    drop_what_restores_left(
        StepRuns(deployed_once.application.server, "postgres", tmp_path),
        deployed_once.application.databases[0],
    )


def restore(application: Application, source: str, **variables: Any) -> Run:
    return application.run("playbooks/restore.yml", "-e", f"run_id={source}", **variables)


def test_a_restore_takes_the_application_out_of_service_for_the_swap_only(
    deployed: Deployed,
) -> None:
    run = deployed.restore()
    assert run.status == 0, run.output
    begin, opened, closed, end = deployed.commands.seen()
    assert begin[2]["event"] == "begin"
    assert begin[2]["run"]["run_id"] == run.record["run_id"]
    assert (begin[2]["run"]["playbook"], begin[2]["run"]["source_run_id"]) == ("restore", deployed.run_id)
    assert (opened[0], closed[0]) == ("open", "close")
    (beside,) = opened[1]
    assert beside.startswith("runbook_restore_"), "out of service when all is ready for the swap"
    assert closed[1] == [run.record["restore"]["replaced"]], "and back in service after it"
    assert (end[2]["event"], end[2]["run"]["outcome"]) == ("end", "restored")


@pytest.mark.parametrize("failing", ["open", "smoke"])
def test_a_restore_that_fails_puts_the_application_back_into_service(
    deployed: Deployed, tmp_path: Path, failing: str
) -> None:
    variables = {}
    if failing == "open":
        deployed.commands.let_fail("open")
    else:
        smoke = tmp_path / "sql" / "smoke" / "never.sql"
        smoke.parent.mkdir(parents=True)
        smoke.write_text("SELECT false;", encoding="utf-8")
        for name in ("migrations", "rollback"):
            (tmp_path / "sql" / name).mkdir()
        variables["sql_dir"] = str(tmp_path / "sql")
    run = deployed.restore(**variables)
    assert run.status != 0
    calls = deployed.commands.seen()
    assert [name for name, *_ in calls] == ["announce", "open", "close", "announce"]
    outcome = "refused" if failing == "open" else "failed"
    assert calls[-1][2]["run"]["outcome"] == run.record["outcome"] == outcome, run.output
    if failing == "open":
        assert "non-zero return code" in run.record["reason"]
        assert calls[-1][1] == [], "nothing was swapped, and what was restored beside is dropped"


def test_refused_before_anything_nobody_is_put_out_of_service(
    application: Application, commands: Commands
) -> None:
    run = restore(application, "20260101T000000Z-nobody-0000")
    assert run.record["outcome"] == "refused"
    ((name, _, announced),) = commands.seen()
    assert (name, announced["event"]) == ("announce", "end")


@pytest.mark.parametrize("fails", ["with a message", "in silence, for ever"])
def test_that_nobody_could_be_told_stops_nothing(
    application: Application, commands: Commands, fails: str
) -> None:
    if fails == "with a message":
        commands.let_fail("announce")
        reason = "the load balancer does not answer"
    else:
        application.variables.update(announce_command=["sleep", "600"], announce_timeout_seconds=1)
        reason = "sleep had not ended after 1 s"
    run = application.deploy("002")
    assert (run.status, run.record["outcome"]) == (0, "deployed"), run.output
    assert run.record["unannounced"] == [
        {"event": "begin", "reason": reason},
        {"event": "end", "reason": reason},
    ]
    said = " ".join(run.output.split())
    for event in ("begin", "end"):
        assert f"obody was told of the {event} of this run: {reason}" in said
    status = application.run("playbooks/status.yml")
    assert (status.status, "CHANGED" in status.output) == (0, False), "what was added is no tampering"


def test_a_window_that_does_not_close_hides_no_outcome_of_a_deploy(
    application: Application, commands: Commands
) -> None:
    commands.let_fail("close")
    hides_no_outcome(application, commands, application.deploy("002"), "deployed")


def test_a_window_that_does_not_close_hides_no_outcome_of_a_restore(deployed: Deployed) -> None:
    deployed.commands.let_fail("close")
    hides_no_outcome(deployed.application, deployed.commands, deployed.restore(), "restored")


def hides_no_outcome(application: Application, commands: Commands, run: Run, outcome: str) -> None:
    assert run.status != 0
    said = " ".join(run.output.split())
    assert "The application was not taken back into service" in said
    assert "the load balancer does not answer" in said
    assert "OUT OF SERVICE: the application was not let in again" in said
    assert "the load balancer does not answer" in run.record["out_of_service"]
    assert [name for name, *_ in commands.seen()] == ["announce", "open", "close", "announce"]
    assert (run.record["outcome"], bool(run.record["ended"])) == (outcome, True)
    with (
        contextlib.closing(application.server.connect(application.databases[0])) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT outcome FROM runbook.run ORDER BY started DESC LIMIT 1")
        assert cursor.fetchone() == (outcome,), "the run is closed in the ledger"


# A run is killed while the application is out of service ------------------------------------------------


def left_out_of_service(application: Application, by: int) -> str:
    """A deploy whose controller dies while the application is out of service; returns its run_id."""
    dies, out = application.folder / "dies", application.folder / "out_of_service"
    dies.write_text(
        f"#!/bin/sh\n'{application.folder}/command' open\ntouch '{out}'\nsleep 5\n", encoding="utf-8"
    )
    dies.chmod(0o755)
    process = application.start(
        "deploy.yml", "-e", "migration=002", maintenance_window_open_command=[str(dies)]
    )
    while not out.exists():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)
    process.send_signal(by)
    run = application.finish(process)
    assert run.status != 0, run.output
    assert run.record["ended"] is None
    return run.record["run_id"]


def noted(application: Application, run_id: str) -> tuple[bool, bool]:
    """Whether the ledger says that the run took the application out of service, and that it is back."""
    (database,) = application.databases
    with (
        contextlib.closing(application.server.connect(database)) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "SELECT out_of_service_since IS NOT NULL, in_service_again IS NOT NULL FROM runbook.run"
            " WHERE run_id = %s",
            (run_id,),
        )
        return cursor.fetchone()


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT])
def test_the_status_takes_the_application_back_after_a_kill(
    application: Application, commands: Commands, by: int
) -> None:
    run_id = left_out_of_service(application, by)
    assert noted(application, run_id) == (True, False)
    assert [name for name, *_ in commands.seen()] == ["announce", "open"]
    looked = application.run("playbooks/status.yml", "--check")
    assert "OUT OF SERVICE: The application is out of service since" in " ".join(looked.output.split())
    assert commands.seen() == [], "check mode only says it"
    status = application.run("playbooks/status.yml")
    assert status.status == 0, status.output
    assert f"IN SERVICE AGAIN: run {run_id} had taken the application out of service" in " ".join(
        status.output.split()
    )
    assert [name for name, *_ in commands.seen()] == ["close"]
    assert noted(application, run_id) == (True, True)
    assert "SERVICE" not in application.run("playbooks/status.yml").output
    assert commands.seen() == []


def test_any_other_command_does_so_too(application: Application, commands: Commands) -> None:
    run_id = left_out_of_service(application, signal.SIGKILL)
    commands.seen()
    for command in (
        ("deploy.yml", "-e", "migration=004"),  # refused: it requires another one
        ("emergency_rollback.yml", "-e", "migration=002"),  # refused: it is not applied
        ("playbooks/salvage.yml",),
        ("deploy.yml", "-e", "migration=002"),
    ):
        run = application.run(*command)
        names = [name for name, *_ in commands.seen() if name != "announce"]
        assert names[0] == "close", run.output
        assert f"IN SERVICE AGAIN: run {run_id}" in " ".join(run.output.split())
        assert noted(application, run_id) == (True, True)
        forget_that_it_is_back(application, run_id)
    assert names == ["close", "open", "close"]
    assert (run.status, run.record["outcome"]) == (0, "deployed"), run.output


def forget_that_it_is_back(application: Application, run_id: str) -> None:
    """As it was when the run had died."""
    (database,) = application.databases
    with (
        contextlib.closing(application.server.connect(database)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("UPDATE runbook.run SET in_service_again = NULL WHERE run_id = %s", (run_id,))


def test_without_the_command_the_status_says_how_it_is_taken_back(
    application: Application, commands: Commands
) -> None:
    run_id = left_out_of_service(application, signal.SIGKILL)
    commands.seen()
    close = application.variables.pop("maintenance_window_close_command")
    said = " ".join(application.run("playbooks/status.yml").output.split())
    value = json.dumps({"maintenance_window_close_command": close})
    assert f"ansible-playbook playbooks/status.yml -e '{value}'" in said.replace('\\"', '"'), said
    assert noted(application, run_id) == (True, False)
    assert application.run("playbooks/status.yml", "-e", value).status == 0
    assert [name for name, *_ in commands.seen()] == ["close"]
    assert noted(application, run_id) == (True, True)


def test_a_command_that_fails_is_tried_again_by_the_next(
    application: Application, commands: Commands
) -> None:
    commands.let_fail("close")
    deploy = application.deploy("002")
    run_id = deploy.record["run_id"]
    assert noted(application, run_id) == (True, False)
    status = application.run("playbooks/status.yml")
    said = " ".join(status.output.split())
    assert "OUT OF SERVICE" in said
    assert "the load balancer does not answer" in said
    commands.let_fail("none")
    assert f"IN SERVICE AGAIN: run {run_id}" in " ".join(
        application.run("playbooks/status.yml").output.split()
    )
    assert noted(application, run_id) == (True, True)


def test_a_run_that_ends_by_itself_leaves_no_note_open(application: Application, commands: Commands) -> None:
    run = application.deploy("002")
    assert run.status == 0, run.output
    assert noted(application, run.record["run_id"]) == (True, True)
    assert "SERVICE" not in application.run("playbooks/status.yml").output


def test_a_run_of_another_machine_is_left_alone_until_it_is_named(
    application: Application, commands: Commands
) -> None:
    run_id = left_out_of_service(application, signal.SIGKILL)
    (database,) = application.databases
    with (
        contextlib.closing(application.server.connect(database)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute('UPDATE runbook.run SET controller = controller || \'{"boot_id": "elsewhere"}\'')
    commands.seen()
    said = " ".join(application.run("playbooks/status.yml").output.split())
    assert f"ansible-playbook playbooks/status.yml -e take_over={run_id}" in said
    assert commands.seen() == []
    assert application.run("playbooks/status.yml", "-e", f"take_over={run_id}").status == 0
    assert [name for name, *_ in commands.seen()] == ["close"]
    assert noted(application, run_id) == (True, True)
