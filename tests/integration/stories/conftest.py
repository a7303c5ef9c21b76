# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fixtures of the playbook tests: the small application on a database of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.local_server import LocalServer
from tests.integration.restore_runs import drop_beside
from tests.integration.step_runs import StepRuns
from tests.integration.stories.application import Application, prepare, write_scripts


@pytest.fixture(scope="session")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SQL folder of the small application."""
    return write_scripts(tmp_path_factory.mktemp("application") / "sql")


@pytest.fixture
def application(server: LocalServer, database: str, scripts: Path, tmp_path: Path) -> Application:
    """The application with 001 in place and no run yet, on a server without the copies of tests that were killed."""
    drop_beside(StepRuns(server, "postgres", tmp_path))
    prepare(server, database)
    return Application(server, tmp_path, scripts, [database])
