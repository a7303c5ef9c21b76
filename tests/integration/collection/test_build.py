# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is in the tarball, and what its sentences tell people to type."""

from __future__ import annotations

import json
import re
import tarfile
from pathlib import Path

import pytest
import yaml

from tests.integration.collection.ci_scripts import ci_script
from tests.integration.collection.strangers_project import PROJECT

COLLECTION = PROJECT / "collections" / "ansible_collections" / "pgops" / "runbook"
PLAYBOOKS = {"bootstrap_roles", "deploy", "emergency_rollback", "rehearse", "restore", "salvage", "status"}


@pytest.fixture(scope="session")
def contents(tarball: Path) -> dict[str, str]:
    """Text of each file in the tarball, by its path."""
    with tarfile.open(tarball) as archive:
        files = {member.name: archive.extractfile(member) for member in archive.getmembers()}
        return {name: file.read().decode("utf-8") for name, file in files.items() if file is not None}


def test_everything_of_the_checkout_that_others_need_is_in_it(contents: dict[str, str]) -> None:
    roles = {str(path.relative_to(PROJECT)) for path in (PROJECT / "roles").rglob("*.yml")}
    plugins = {str(path.relative_to(COLLECTION)) for path in (COLLECTION / "plugins").rglob("*.py")}
    assert roles
    assert plugins
    assert roles | plugins <= set(contents)
    assert {f"playbooks/{name}.yml" for name in PLAYBOOKS} <= set(contents)
    assert {"LICENSE", "README.md", "requirements.txt", "bindep.txt", "meta/runtime.yml"} <= set(contents)
    assert contents["LICENSE"] == (PROJECT / "LICENSE").read_text(encoding="utf-8")


def test_nothing_else_is_in_it(contents: dict[str, str]) -> None:
    tops = {name.split("/")[0] for name in contents}
    known = {"meta", "playbooks", "plugins", "roles"}
    files = {
        "FILES.json",
        "MANIFEST.json",
        "LICENSE",
        "README.md",
        "CHANGELOG.md",
        "bindep.txt",
        "requirements.txt",
    }
    assert tops <= known | files
    assert not [name for name in contents if "__pycache__" in name or name.endswith(".pyc")]


def test_metadata(contents: dict[str, str]) -> None:
    facts = json.loads(contents["MANIFEST.json"])["collection_info"]
    assert (facts["namespace"], facts["name"]) == ("pgops", "runbook")
    assert facts["license"] == ["GPL-3.0-or-later"]
    assert facts["dependencies"] == {}, "no run uses a module of another collection"
    used = {
        (name, word)
        for name, text in contents.items()
        for word in modules_of_tasks(name, text)
        if not word.startswith(("ansible.builtin.", "pgops.runbook."))
    }
    assert {name for name, _ in used} == {"roles/bootstrap_roles/tasks/main.yml"}
    assert all(word.startswith("community.postgresql.postgresql_") for _, word in used)
    assert yaml.safe_load(contents["meta/runtime.yml"])["requires_ansible"] == ">=2.19.0"


def modules_of_tasks(name: str, text: str) -> set[str]:
    """Fully qualified names that stand as keys in a file of tasks."""
    if not name.endswith(".yml"):
        return set()
    return set(re.findall(r"^ *(?:- )?(\w+\.\w+\.\w+):", text, flags=re.MULTILINE))


def test_the_search_for_modules_sees_them(contents: dict[str, str]) -> None:
    found = modules_of_tasks("x.yml", contents["roles/announce/tasks/main.yml"])
    assert found == {
        "ansible.builtin.debug",
        "ansible.builtin.fail",
        "ansible.builtin.include_tasks",
        "pgops.runbook.announce",
        "pgops.runbook.cleanup",
    }


def test_no_sentence_names_a_playbook_as_in_the_checkout(contents: dict[str, str]) -> None:
    left = [
        f"{name}: {line.strip()}"
        for name, text in contents.items()
        if name.startswith(("playbooks/", "plugins/", "roles/"))
        for line in text.splitlines()
        if re.search(rf"(?:\b(?:{'|'.join(PLAYBOOKS)})|\}})\.yml\b|playbooks/", line)
    ]
    assert left == []


@pytest.mark.parametrize(
    ("in_the_checkout", "in_the_collection"),
    [
        (
            "ansible-playbook deploy.yml -e migration=009",
            "ansible-playbook pgops.runbook.deploy -e migration=009",
        ),
        ("see playbooks/status.yml;", "see pgops.runbook.status;"),
        ('"ansible-playbook playbooks/restore.yml -e"', '"ansible-playbook pgops.runbook.restore -e"'),
        ('{"apply": "deploy.yml"}', '{"apply": "pgops.runbook.deploy"}'),
        ("f\" {run['playbook']}.yml -e x\"", "f\" pgops.runbook.{run['playbook']} -e x\""),
        (
            "my_deploy.yml, meta/runtime.yml, roles/x/deploy.yml",
            "my_deploy.yml, meta/runtime.yml, roles/x/deploy.yml",
        ),
        ('"{{ name }}.yml"', '"{{ name }}.yml"'),
        ("import_tasks: open.yml", "import_tasks: open.yml"),
    ],
)
def test_commands_are_named_as_in_the_collection(in_the_checkout: str, in_the_collection: str) -> None:
    assert ci_script("collection").commands_of_collection(in_the_checkout, PLAYBOOKS) == in_the_collection
