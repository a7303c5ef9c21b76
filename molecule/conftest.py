# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the tests of all scenarios share."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.local_server import LocalServer

# The folder molecule cannot be imported: molecule itself has that name.
sys.path.insert(0, str(Path(__file__).resolve().parent / "shared"))

from database_snapshot import take_snapshot


@pytest.fixture(scope="session")
def scenario_state() -> Path:
    """Return the folder that holds the scenario's server.json, backups and artifacts."""
    project = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
    return project / ".local" / "molecule" / os.environ["MOLECULE_SCENARIO_NAME"]


@pytest.fixture(scope="session")
def server(scenario_state: Path) -> LocalServer:
    """Return the scenario's server."""
    return LocalServer(scenario_state)


@pytest.fixture
def query(server: LocalServer) -> Iterator[Callable[..., list[tuple]]]:
    """Return a function that runs one statement in a database and returns its rows; it is a transaction."""
    with contextlib.ExitStack() as connections:
        opened: dict[str, Any] = {}

        def run(database: str, statement: str, parameters: tuple | None = None) -> list[tuple]:
            if database not in opened:
                opened[database] = connections.enter_context(contextlib.closing(server.connect(database)))
                opened[database].autocommit = True
            with opened[database].cursor() as cursor:
                cursor.execute(statement, parameters)
                return cursor.fetchall() if cursor.description else []

        yield run


@pytest.fixture
def library(server: LocalServer) -> Iterator:
    """Connect to database midi_library; every statement is a transaction of its own."""
    with contextlib.closing(server.connect("midi_library")) as connection:
        connection.autocommit = True
        yield connection


@pytest.fixture(scope="session")
def record_of(scenario_state: Path) -> Callable[[str], dict[str, Any]]:
    """Return a function that reads run.json of a run that shared/tasks/run_playbooks.yml started, by its name."""

    def read(name: str) -> dict[str, Any]:
        return json.loads((scenario_state / "artifacts" / name / "latest" / "run.json").read_text())

    return read


@pytest.fixture(scope="session")
def snapshot_of(scenario_state: Path) -> Callable[[str], dict[str, Any]]:
    """Return a function that reads a snapshot that shared/tasks/take_snapshots.yml took, by its name."""

    def read(name: str) -> dict[str, Any]:
        return json.loads((scenario_state / "snapshots" / f"{name}.json").read_text())

    return read


@pytest.fixture(scope="session")
def present(server: LocalServer) -> Callable[[str], dict[str, Any]]:
    """Return a function that takes a snapshot of a database now."""
    return lambda database: take_snapshot(server, database)
