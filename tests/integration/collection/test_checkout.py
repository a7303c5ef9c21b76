# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""In a checkout the folders sql and artifacts are at its root, wherever the command is given."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from tests.integration.collection.strangers_project import PROJECT, StrangersProject

PARTS = ("roles", "playbooks", "collections", "ansible.cfg", "deploy.yml", "emergency_rollback.yml")


@pytest.fixture
def checkout(project: StrangersProject, tmp_path: Path) -> Path:
    """What the playbooks need of this checkout, in a folder of its own with other SQL."""
    folder = tmp_path / "checkout"
    for name in PARTS:
        place = folder / name
        place.parent.mkdir(exist_ok=True)
        if (PROJECT / name).is_dir():
            shutil.copytree(PROJECT / name, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(PROJECT / name, place)
    shutil.copytree(project.folder / "sql", folder / "sql")
    return folder


@pytest.mark.parametrize("playbook", ["deploy.yml", "playbooks/rehearse.yml"])
def test_folders_are_at_the_root(
    project: StrangersProject, checkout: Path, tmp_path: Path, playbook: str
) -> None:
    (tmp_path / "elsewhere").mkdir()
    inventory = project.write_file("only_inventory/hosts.yml", yaml.safe_dump(project.inventory()))
    done = project.play(
        *("-i", str(inventory), str(checkout / playbook), "-e", "migration=077"),
        cwd=tmp_path / "elsewhere",
        ANSIBLE_CONFIG=str(checkout / "ansible.cfg"),
    )
    assert done.status != 0
    assert f"no migration '077' in {checkout}/sql" in project.record(checkout)["reason"], done.output
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert not (checkout / "playbooks" / "artifacts").exists()
