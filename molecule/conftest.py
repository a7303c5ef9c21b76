# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the tests of all scenarios share."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.local_server import LocalServer


@pytest.fixture(scope="session")
def scenario_state() -> Path:
    """Return the folder that holds the scenario's server.json, backups and artifacts."""
    project = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
    return project / ".local" / "molecule" / os.environ["MOLECULE_SCENARIO_NAME"]


@pytest.fixture
def library(scenario_state: Path) -> Iterator:
    """Connect to the scenario's database; every statement is a transaction of its own."""
    with contextlib.closing(LocalServer(scenario_state).connect("midi_library")) as connection:
        connection.autocommit = True
        yield connection
