# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A database of which a project's own settings know, and an import into the folder that is deployed from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.importing.work import (
    Imported,
    import_migrations,
    tool_for,
)

from demo.local_server import LocalServer
from tests.integration.importing.projects import PYTHON
from tests.integration.step_runs import StepRuns

Import = Callable[..., Imported]


@pytest.fixture
def own_database(server: LocalServer, database: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The database of the test, by the variables that a project's settings read."""
    for name, value in {
        "PGHOST": str(server.host),
        "PGPORT": str(server.port),
        "PGUSER": server.user,
        "PGDATABASE": database,
    }.items():
        monkeypatch.setenv(name, value)
    return database


@pytest.fixture
def import_from(tmp_path: Path) -> Import:
    """Imports the project in tmp_path/project into tmp_path/sql."""

    def run(tool: str, writes: bool = True) -> Imported:
        return import_migrations(
            tool_for(tool, tmp_path / "project", PYTHON), str(tmp_path / "sql"), "auto", writes
        )

    return run


@pytest.fixture
def deploying(server: LocalServer, own_database: str, tmp_path: Path) -> Callable[[Any], StepRuns]:
    """Runs on tmp_path/sql, with a record of what is applied that a tool keeps."""

    def make(version_table: Any) -> StepRuns:
        return StepRuns(server, own_database, tmp_path, migration="pending", version_table=version_table)

    return make
