# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The collection as others get it: built into a tarball, installed into an empty folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from demo.local_server import LocalServer
from tests.integration.collection.strangers_project import PROJECT, StrangersProject, environment, program


@pytest.fixture(scope="session")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make collection` builds."""
    output = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, str(PROJECT / ".ci" / "collection.py"), str(output)],
        cwd=output,
        env=environment(),
        check=True,
    )
    (built,) = output.iterdir()
    return built


@pytest.fixture(scope="session")
def collections(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the installed collection and nothing else; no server was asked for anything."""
    folder = tmp_path_factory.mktemp("installed")
    command = [
        program("ansible-galaxy"),
        "collection",
        "install",
        "--offline",
        "-p",
        str(folder),
        str(tarball),
    ]
    subprocess.run(command, cwd=folder, env=environment(), check=True)
    return folder


@pytest.fixture
def installed(collections: Path) -> Path:
    return collections / "ansible_collections" / "pgops" / "runbook"


@pytest.fixture
def project(server: LocalServer, database: str, collections: Path, tmp_path: Path) -> StrangersProject:
    """A stranger's project with three migrations, and an empty database."""
    project = StrangersProject(tmp_path / "books", collections, server, database)
    project.write()
    return project
