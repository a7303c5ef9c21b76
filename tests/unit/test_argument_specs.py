# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Roles and their specifications agree, and every variable that is used is defined somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jinja2.meta
import pytest

from tests.playbook_documents import CHECKED, PLAYBOOKS, PROJECT, SHARED, defaults, documents, load

ROLES = sorted(path.name for path in (PROJECT / "roles").iterdir() if path.is_dir() and path.name != SHARED)

# Variables that Ansible itself defines.
MAGIC = {
    "ansible_check_mode",
    "ansible_failed_result",
    "ansible_play_hosts_all",
    "ansible_playbook_python",
    "ansible_skip_tags",
    "groups",
    "hostvars",
    "inventory_dir",
    "inventory_hostname",
    "lookup",
    "now",
    "omit",
    "playbook_dir",
    "role_path",
}
# Given on the command line only; wherever they are used they have a default.
COMMAND_LINE = {
    "adopt",
    "approval_comment",
    "cascade",
    "from",
    "name",
    "restore_to",
    "run_id",
    "skip",
    "tag",
    "to",
    "until",
}


def specification(role: str) -> dict[str, Any]:
    return load(PROJECT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]


@pytest.mark.parametrize("role", ROLES)
def test_defaults_of_a_role_are_those_of_its_specification(role: str) -> None:
    documented = {
        name: option["default"] for name, option in specification(role).items() if "default" in option
    }
    assert documented == defaults(role)


@pytest.mark.parametrize("role", ROLES)
def test_every_option_of_a_role_has_type_and_description(role: str) -> None:
    for name, option in specification(role).items():
        assert option["type"], name
        assert option["description"], name


@pytest.mark.parametrize("role", [role for role in ROLES if role != CHECKED])
def test_variables_of_a_role_carry_its_name(role: str) -> None:
    assert [name for name in defaults(role) if not name.startswith(f"{role}_")] == []


def needed(role: str) -> list[str]:
    """The roles on which one depends."""
    facts = load(PROJECT / "roles" / role / "meta" / "main.yml")
    return [one["role"] for one in facts["dependencies"]]


def first_roles(playbook: Any) -> Iterator[str]:
    """The role with which each play that has one begins."""
    for play in playbook:
        names = (text for _, text in _roles_of(play.get("tasks", [])))
        yield from [*names][:1]


def _roles_of(tasks: Any) -> Iterator[tuple[int, str]]:
    for number, task in enumerate(tasks):
        if "ansible.builtin.import_role" in task:
            yield number, task["ansible.builtin.import_role"]["name"]
        yield from _roles_of(task.get("block", []))


def test_every_command_begins_with_a_check_of_the_shared_variables() -> None:
    begin = {role for path in PLAYBOOKS if isinstance(load(path), list) for role in first_roles(load(path))}
    assert len(begin) > 5
    assert {role: needed(role) for role in begin} == {role: [CHECKED, SHARED] for role in begin}


def test_no_other_role_loads_that_specification_again() -> None:
    # Ansible copies a specification whenever a role that has it is loaded: in a deploy that was half a second.
    others = [role for role in ROLES if role != CHECKED and needed(role) != [CHECKED, SHARED]]
    assert {role: needed(role) for role in others} == {role: [SHARED] for role in others}
    assert {"apply", "backup", "verify"} <= {*others}
    # The specification names what is made of the paths there, also where a playbook includes a role (include_role).
    assert (needed(CHECKED), needed(SHARED)) == ([SHARED], [])
    assert not (PROJECT / "roles" / SHARED / "meta" / "argument_specs.yml").exists()


def strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """(key, text) of every string in a YAML document."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from strings(part, name)
    elif isinstance(value, list):
        for part in value:
            yield from strings(part, key)
    elif isinstance(value, str):
        yield key, value


class _Anything(dict):
    """Filters and tests of every name: only variables are looked for."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> Any:
        return lambda value: value

    def get(self, name: str, default: Any = None) -> Any:
        return self[name]


def variables_used(document: Any) -> set[str]:
    environment = jinja2.Environment(autoescape=True)
    environment.filters = environment.tests = _Anything()
    environment.globals = {}
    found = set()
    for key, text in strings(document):
        expression = key in ("when", "that", "failed_when", "changed_when", "until")
        template = f"{{{{ {text} }}}}" if expression else text
        found |= jinja2.meta.find_undeclared_variables(environment.parse(template))
    return found


def variables_made(document: Any) -> set[str]:
    """Names that tasks register, set or are called with."""
    found = set()
    if isinstance(document, dict):
        if isinstance(document.get("register"), str):
            found.add(document["register"])
        if isinstance(document.get("loop_var"), str):
            found.add(document["loop_var"])
        for key in ("ansible.builtin.set_fact", "vars"):
            if isinstance(document.get(key), dict):
                found |= set(document[key])
        for part in document.values():
            found |= variables_made(part)
    elif isinstance(document, list):
        for part in document:
            found |= variables_made(part)
    return found


def known_variables(all_documents: dict[str, Any]) -> set[str]:
    known = set(MAGIC | COMMAND_LINE)
    for name, document in all_documents.items():
        known |= variables_made(document)
        if "/vars/" in name or "/defaults/" in name:
            known |= set(document or {})
    return known


def test_every_variable_that_is_used_is_defined_somewhere() -> None:
    everything = documents()
    known = known_variables(everything)
    undefined = {
        name: sorted(missing)
        for name, document in everything.items()
        if (missing := variables_used(document) - known)
    }
    assert undefined == {}


def test_the_search_for_variables_sees_them() -> None:
    used = {"x": "{{ a.b | default(c) }}", "when": ["d is defined and e > 1"], "y": [{"z": "{{ f['g'] }}"}]}
    assert variables_used(used) == {"a", "c", "d", "e", "f"}
    assert {"runbook_target", "migration"} <= variables_used(documents())


def test_variables_of_the_command_line_have_a_default_wherever_they_are_used() -> None:
    for name, document in documents().items():
        for _, text in strings(document):
            for variable in COMMAND_LINE & variables_used({"x": text} if "{" in text else {}):
                assert re.search(rf"\b{variable} \| default\(", text), f"{name}: {text}"


@pytest.mark.parametrize("role", ROLES)
def test_every_option_of_a_role_is_used(role: str) -> None:
    everything = documents()
    used = set().union(*(variables_used(document) for document in everything.values()))
    assert sorted(set(specification(role)) - used) == []
