# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A server, an inventory and folders that begin each case from the same bytes, and playbooks run in them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
import yaml

from benchmarks.fault_stories import plant
from benchmarks.fault_stories.application import DATABASE, write_scripts
from demo.local_server import LocalServer

__all__ = ["PROJECT", "Play", "Stage", "Unsafe"]

PROJECT = Path(__file__).resolve().parents[2]

# What a caller's shell may have set, and what would lead a case astray.
FOREIGN_VARIABLES = ("ANSIBLE_", "PG", "MOLECULE_", "PLANTED_")

# Longer than any wait of the runbook's own; who has not ended by then never will.
END_SECONDS = 240

# The application is out of service while the file is there.
WINDOW = """#!/bin/sh
case "$1" in on) touch '{out}';; off) rm -f '{out}';; esac
"""


@dataclass
class Play:
    """One ansible-playbook.

    Attributes:
        arguments: as typed after ansible-playbook.
        status: exit status, negative for a signal.
        output: all that it has printed.
        record: run.json of the run that it has begun, or None.
        fired: whether the planted fault has happened.
        interrupted: whether that was a signal to ansible-playbook itself.
    """

    arguments: tuple[str, ...]
    status: int
    output: str
    record: dict[str, Any] | None
    fired: bool
    interrupted: bool = False

    @property
    def words(self) -> str:
        """The output in one line."""
        return " ".join(self.output.split()).replace('\\"', '"')


@dataclass
class Stage:
    """One place in which one case after the other is played.

    Args:
        folder: everything lies below it, but for the server's data, whose place the server chooses.
        forks: whether steps are forked from ansible-playbook's process; else they are sent to a Python of their own.
    """

    folder: Path
    forks: bool = False
    variables: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    #: Command -> step -> how many statements it has; and how many seconds the command takes.
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.database = DATABASE
        self.server = LocalServer(self.folder / "server", fsync=False)
        self.sql_dir = write_scripts(self.folder / "sql")
        self.work = self.folder / "work"
        self.out_of_service = self.work / "out_of_service"
        self.window = self.folder / "window"
        self.window.write_text(WINDOW.format(out=self.out_of_service), encoding="utf-8")
        self.window.chmod(0o755)
        site = self.folder / "site"
        site.mkdir(exist_ok=True)
        shutil.copyfile(Path(plant.__file__), site / "sitecustomize.py")

    @staticmethod
    def _python() -> str:
        """This Python by another name, which is not known to be the same."""
        python = Path(sys.executable)
        return str(python.parent / ".." / python.parent.name / python.name)

    # What every case begins with -----------------------------------------------------------------------

    @property
    def _kept(self) -> Path:
        # Beside the data, on the same kind of disk, and as well guarded.
        return self.server.data.parent / "kept"

    def keep(self, name: str) -> None:
        """Let cases begin with what there is now."""
        self.server.stop()
        place = self._kept / name
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        _copy(self.server.data, place / "data")
        _copy(self.work, place / "work")
        self.server.start()

    def begin(self, name: str) -> None:
        """Throw away all that there is for what ``keep`` has kept; forget variables and environment."""
        self.server.stop(immediate=True)
        self.variables, self.environment, self.database = {}, {}, DATABASE
        for now, kept in ((self.server.data, "data"), (self.work, "work")):
            shutil.rmtree(now)
            _copy(self._kept / name / kept, now)
        self.server.start()

    def empty(self) -> None:
        """No file of any run."""
        shutil.rmtree(self.work, ignore_errors=True)
        for name in ("artifacts", "backups", "tmp", "ansible"):
            (self.work / name).mkdir(parents=True)

    def remove(self) -> None:
        """End what is still at work, and leave nothing behind."""
        self._end_all()
        self.server.remove()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, query: str, database: str = "") -> list[tuple[Any, ...]]:
        """Rows of a query, in a session of its own, by default in the application's database."""
        with contextlib.closing(self.server.connect(database or self.database)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(query)
                return cursor.fetchall() if cursor.description else []

    # Playbooks -------------------------------------------------------------------------------------------

    def play(
        self,
        *arguments: str,
        fault: dict[str, Any] | None = None,
        after_seconds: float | None = None,
        by: int = signal.SIGKILL,
        start_again: Callable[[], object] | None = None,
    ) -> Play:
        """Run ansible-playbook until it and all that it has started have ended.

        Args:
            fault: see plant.Fault.
            after_seconds: send the signal ``by`` to the controller so long after its start.
            start_again: where the fault has stopped the server, lets one be there again; by default that one.
        """
        planted = self.folder / "planted"
        shutil.rmtree(planted, ignore_errors=True)
        planted.mkdir()
        if fault is not None:
            (planted / "fault.json").write_text(json.dumps(fault), encoding="utf-8")
            (planted / "backups").write_text(str(self.backups), encoding="utf-8")
            (planted / "server.pid").write_text(str(self.server.pid()), encoding="utf-8")
        before = self._records()
        log = planted / "output"
        with log.open("w", encoding="utf-8") as output:
            process = subprocess.Popen(
                [
                    *(str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(self._inventory())),
                    *arguments,
                ],
                cwd=PROJECT,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        (planted / "controller.pid").write_text(str(process.pid), encoding="utf-8")
        self._await(process, planted, fault, after_seconds, by, start_again or self.server.start)
        fired = (planted / "fired").exists() or (after_seconds is not None and process.returncode < 0)
        return Play(
            arguments,
            process.returncode,
            log.read_text(encoding="utf-8", errors="replace"),
            self._newest(before),
            fired,
            after_seconds is not None or (fault is not None and fault["action"].startswith("controller")),
        )

    def _await(
        self,
        process: subprocess.Popen[bytes],
        planted: Path,
        fault: dict[str, Any] | None,
        after_seconds: float | None,
        by: int,
        start_again: Callable[[], object],
    ) -> None:
        stops_server = fault is not None and fault["action"] == "server"
        begun = time.monotonic()
        while process.poll() is None or self.at_work():
            spent = time.monotonic() - begun
            if stops_server and (planted / "fired").exists() and self.server.pid() is None:
                start_again()
                stops_server = False
            if after_seconds is not None and spent >= after_seconds and process.poll() is None:
                process.send_signal(by)
                after_seconds = None
            if spent > END_SECONDS:
                self._end_all()
                process.wait()
                raise TimeoutError(f"{process.args!r} had not ended after {END_SECONDS} s")
            time.sleep(0.05)

    def at_work(self) -> list[int]:
        """Processes that a playbook of this stage has started and that are still there."""
        mark = f"PLANTED_STAGE={self.folder}".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (path / "environ").read_bytes().split(b"\0"):
                    found.append(int(path.name))
        return found

    def _end_all(self) -> None:
        while pids := self.at_work():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)

    @property
    def planted_environment(self) -> dict[str, str]:
        """By what a process of a playbook knows the fault, and is known as one of this stage."""
        return {
            "PYTHONPATH": str(self.folder / "site"),
            "PLANTED_FAULT": str(self.folder / "planted"),
            "PLANTED_STAGE": str(self.folder),
        }

    def _environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN_VARIABLES)}
        return {
            **own,
            **self.planted_environment,
            "ANSIBLE_HOME": str(self.work / "ansible"),
            "ANSIBLE_REMOTE_TEMP": str(self.work / "ansible" / "tmp"),
            "TMPDIR": str(self.work / "tmp"),
            **self.environment,
        }

    def _inventory(self) -> Path:
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}" if self.forks else self._python(),
            "db_host": self.server.host,
            "db_port": self.server.port,
            "db_user": self.server.user,
            "pg_bindir": self.server.bindir,
            "sql_dir": str(self.sql_dir),
            "backup_dir": str(self.work / "backups"),
            "artifacts_dir": str(self.work / "artifacts"),
            "maintenance_window_open_command": [str(self.window), "on"],
            "maintenance_window_close_command": [str(self.window), "off"],
            "lock_pause_seconds": 1,
            "lock_attempts": 2,
            "lock_timeout_seconds": 1,
            **self.variables,
        }
        hosts = {DATABASE: {"db_name": self.database}}
        path = self.folder / "inventory.yml"
        text = yaml.dump({"databases": {"hosts": hosts, "vars": variables}}, Dumper=_Dumper)
        path.write_text(text, encoding="utf-8")
        return path

    @property
    def backups(self) -> Path:
        return Path(self.variables.get("backup_dir", self.work / "backups"))

    @property
    def artifacts(self) -> Path:
        return Path(self.variables.get("artifacts_dir", self.work / "artifacts"))

    def _records(self) -> set[Path]:
        return set(self.artifacts.glob("*/run.json")) - set(self.artifacts.glob("latest/run.json"))

    def _newest(self, before: set[Path]) -> dict[str, Any] | None:
        new = sorted(self._records() - before)
        return json.loads(new[-1].read_text(encoding="utf-8")) if new else None


class Unsafe(str):
    """A value of a variable that Ansible is not to take for a template, as people write it in their inventory."""


class _Dumper(yaml.SafeDumper):
    """Writes Unsafe with its tag."""


_Dumper.add_representer(
    Unsafe, lambda dumper, value: dumper.represent_scalar("!unsafe", str(value), style='"')
)


def lets_in(stage: Stage) -> bool:
    """Whether the application could connect."""
    try:
        stage.server.connect(stage.database).close()
    except psycopg2.OperationalError:
        return False
    return True


def _copy(source: Path, target: Path) -> None:
    # With owners, modes and links as they are; shutil keeps no owner.
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)  # noqa: S607 - every system has it
