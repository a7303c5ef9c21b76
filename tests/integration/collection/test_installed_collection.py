# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The installed collection in a stranger's project: it deploys, takes back, tells, and leaves its own folder alone."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from strangers_project import PROJECT, StrangersProject, files_of

ALL_COLUMNS = ["book.author", "book.id", "book.shelf", "book.title", "shelf.id", "shelf.label"]


@pytest.fixture(autouse=True)
def nothing_is_written_into_the_collection(installed: Path) -> Iterator[None]:
    before = files_of(installed)
    assert "playbooks/deploy.yml" in before
    yield
    assert files_of(installed) == before


def test_the_only_runbook_that_ansible_finds_is_the_installed_one(
    project: StrangersProject, installed: Path
) -> None:
    found = project.run("ansible-galaxy", "collection", "list", "pgops.runbook", "--format", "json")
    assert found.status == 0, found.output
    assert list(json.loads(found.output[found.output.index("{") :])) == [str(installed.parents[1])]
    assert not installed.is_relative_to(PROJECT)


def test_deploy_rollback_and_status(project: StrangersProject) -> None:
    deployed = project.play("pgops.runbook.deploy", "-e", "migration=pending")
    assert deployed.status == 0, deployed.output
    record = project.record()
    assert (record["outcome"], record["migrations"]) == ("deployed", ["001", "002", "003"])
    assert project.tables() == ALL_COLUMNS
    assert str(project.folder / "artifacts" / record["run_id"] / "run.json") in deployed.output

    back = project.play("pgops.runbook.emergency_rollback", "-e", "migration=003")
    assert back.status == 0, back.output
    assert project.record()["outcome"] == "rolled_back"
    assert project.tables() == ALL_COLUMNS[1:]

    status = project.play("pgops.runbook.status")
    assert status.status == 0, status.output
    for migration, state in {"001_shelf": "applied", "002_book": "applied", "003_author": "pending"}.items():
        assert f"{migration} {state}, rollback proven by run" in status.words, status.output


def test_a_refusal_names_the_command_that_works_here(project: StrangersProject) -> None:
    with contextlib.closing(project.server.connect(project.database)) as connection, connection:
        connection.cursor().execute((project.folder / "sql/migrations/001_shelf.sql").read_text())
    refused = project.play("pgops.runbook.deploy", "-e", "migration=001")
    assert refused.status != 0
    reason = project.record()["reason"]
    assert "ansible-playbook pgops.runbook.status -e adopt=true" in reason
    assert ".yml" not in reason

    adopted = project.play("pgops.runbook.status", "-e", "adopt=true")
    assert adopted.status == 0, adopted.output
    assert project.play("pgops.runbook.deploy", "-e", "migration=002").status == 0


def test_documents_go_into_the_strangers_folder_of_sql(project: StrangersProject) -> None:
    rehearsed = project.play("pgops.runbook.rehearse", "-e", "migration=all")
    assert rehearsed.status == 0, rehearsed.output
    for name in ("MIGRATION_ORDER.md", "ROLLBACK_STATUS.md"):
        text = (project.folder / "sql" / name).read_text(encoding="utf-8")
        assert "ansible-playbook pgops.runbook.rehearse -e migration=all" in text


@pytest.mark.parametrize("place", ["books.yml", "playbooks/books.yml"])
def test_roles_in_a_playbook_of_the_project(project: StrangersProject, tmp_path: Path, place: str) -> None:
    """Its own playbook lies in the project, so the command may be given anywhere."""
    names = ("preflight", "maintenance_window", "backup", "verify_restore", "rehearse", "apply", "announce")
    steps = "".join(f"    - ansible.builtin.import_role: {{name: pgops.runbook.{name}}}\n" for name in names)
    playbook = project.write_file(place, f"- hosts: databases\n  gather_facts: false\n  tasks:\n{steps}")
    deployed = project.play(
        str(playbook),
        *("-e", "migration=001"),
        cwd=tmp_path,
        ANSIBLE_CONFIG=str(project.folder / "ansible.cfg"),
    )
    assert deployed.status == 0, deployed.output
    assert project.record()["migrations"] == ["001"]
    assert not (tmp_path / "artifacts").exists()


def test_a_playbook_that_imports_the_collections(project: StrangersProject) -> None:
    playbook = project.write_file(
        "site.yml", "- ansible.builtin.import_playbook: pgops.runbook.deploy\n  vars: {migration: '001'}\n"
    )
    deployed = project.play(playbook.name)
    assert deployed.status == 0, deployed.output
    assert project.record()["outcome"] == "deployed"


def test_folders_of_the_inventory_win(project: StrangersProject, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (project.folder / "sql").rename(tmp_path / "scripts")
    deployed = project.play(
        "pgops.runbook.deploy",
        *("-e", "migration=001", "-e", f"sql_dir={tmp_path}/scripts", "-e", f"artifacts_dir={elsewhere}/artifacts"),
    )
    assert deployed.status == 0, deployed.output
    assert project.record(elsewhere)["outcome"] == "deployed"
    assert not (project.folder / "artifacts").exists()
