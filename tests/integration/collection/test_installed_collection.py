# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The installed collection in a stranger's project: it deploys, takes back, tells, and leaves its own folder alone."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.collection.strangers_project import PROJECT, StrangersProject, files_of
from tests.integration.importing.projects import ALEMBIC, ALEMBIC_REVISIONS, PYTHON, needs, write

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
        assert f"{migration} {state}, rollback rehearsed by run" in status.words, status.output


def test_a_refusal_names_the_command_that_works_here(project: StrangersProject) -> None:
    with contextlib.closing(project.server.connect(project.database)) as connection, connection:
        connection.cursor().execute((project.folder / "sql/migrations/001_shelf.sql").read_text())
    refused = project.play("pgops.runbook.deploy", "-e", "migration=001")
    assert refused.status != 0
    reason = project.record()["reason"]
    assert "ansible-playbook pgops.runbook.status -e adopt=true" in reason
    assert ".yml" not in reason


def test_documents_go_into_the_strangers_folder_of_sql(project: StrangersProject) -> None:
    rehearsed = project.play("pgops.runbook.rehearse", "-e", "migration=all")
    assert rehearsed.status == 0, rehearsed.output
    for name in ("MIGRATION_ORDER.md", "ROLLBACK_STATUS.md"):
        text = (project.folder / "sql" / name).read_text(encoding="utf-8")
        assert "ansible-playbook pgops.runbook.rehearse -e migration=all" in text


def test_roles_in_a_playbook_of_the_project(project: StrangersProject, tmp_path: Path) -> None:
    """Its own playbook lies in the project, so the command may be given anywhere."""
    chain = ("preflight", "maintenance_window", "backup", "verify_restore", "rehearse", "apply", "verify")
    roles = (*chain, "smoke_test", "announce")
    calls = {"preflight": "include_role"}
    steps = "".join(
        f"    - ansible.builtin.{calls.get(role, 'import_role')}: {{name: pgops.runbook.{role}}}\n"
        for role in roles
    )
    playbook = project.write_file(
        "playbooks/books.yml", f"- hosts: databases\n  gather_facts: false\n  tasks:\n{steps}"
    )
    deployed = project.play(
        str(playbook),
        *("-e", "migration=001"),
        cwd=tmp_path,
        ANSIBLE_CONFIG=str(project.folder / "ansible.cfg"),
    )
    assert deployed.status == 0, deployed.output
    assert project.record()["migrations"] == ["001"]
    assert not (tmp_path / "artifacts").exists()


# What follows is about folders alone, so a refusal, which comes first, tells as much as a deploy.


def test_a_playbook_that_imports_the_collections(project: StrangersProject) -> None:
    playbook = project.write_file(
        "site.yml", "- ansible.builtin.import_playbook: pgops.runbook.deploy\n  vars: {migration: '077'}\n"
    )
    assert project.play(playbook.name).status != 0
    assert f"no migration '077' in {project.folder}/sql" in project.record()["reason"]


def test_folders_that_are_given_win(project: StrangersProject, tmp_path: Path) -> None:
    (project.folder / "sql").rename(tmp_path / "scripts")
    folders = f"sql_dir={tmp_path}/scripts artifacts_dir={tmp_path}/records/artifacts"
    assert project.play("pgops.runbook.deploy", "-e", "migration=077", "-e", folders).status != 0
    assert f"no migration '077' in {tmp_path}/scripts" in project.record(tmp_path / "records")["reason"]
    assert not (project.folder / "artifacts").exists()


def test_a_project_without_scripts_is_told_where_they_are_looked_for(project: StrangersProject) -> None:
    (project.folder / "sql").rename(project.folder / "scripts")
    assert project.play("pgops.runbook.deploy", "-e", "migration=001").status != 0
    assert f"the SQL folder {project.folder}/sql does not exist; set sql_dir" in project.record()["reason"]


def test_migrations_of_another_tool_are_imported_beside_those_of_the_project(
    project: StrangersProject,
) -> None:
    needs("alembic", "Debian: alembic")
    write(project.folder / "app", {**ALEMBIC, **ALEMBIC_REVISIONS})
    before = files_of(project.folder / "sql")
    command = (
        "pgops.runbook.import",
        *("-e", "from=alembic"),
        *("-e", "import_project=app"),
        *("-e", f"import_python={PYTHON}"),
    )
    looked = project.play(*command, "--check")
    assert looked.status == 0, looked.output
    assert "4 migrations to import; nothing is written with --check" in looked.words
    assert files_of(project.folder / "sql") == before
    imported = project.play(*command, "-e", "version_table=alembic")
    assert imported.status == 0, imported.output
    assert "4 migrations imported" in imported.words
    assert "version_table: {tool: alembic, table: public.revisions}" in imported.words
    after = files_of(project.folder / "sql")
    assert {name: after[name] for name in before} == before
    assert sorted(name for name in after if "aa11" in name) == [
        "migrations/004_aa11_Make_one.sql",
        "rollback/004_aa11_Make_one_rollback.sql",
    ]
    assert not (project.folder / "artifacts").exists()
    refused = project.play("pgops.runbook.import", "-e", "import_project=app")
    assert refused.status != 0
    assert (
        "The command names no tool: -e from=django or -e from=alembic. Nothing was written." in refused.words
    )
