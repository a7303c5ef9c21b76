# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation and reality agree: roles with their specs, modules with their documentation."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jinja2.meta
import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.pgops.runbook.plugins.action import (
    check,
    fleet,
    import_scripts,
    preflight,
    role_names,
    run_within,
    step,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.check.checking import OPTIONS as OPTIONS_OF_CHECKS
from ansible_collections.pgops.runbook.plugins.plugin_utils.fleet.gate import OPTIONS as OPTIONS_OF_FLEETS
from ansible_collections.pgops.runbook.plugins.plugin_utils.importing.work import (
    OPTIONS as OPTIONS_OF_IMPORTS,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.role_names import OPTIONS as OPTIONS_OF_NAMES
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.within import OPTIONS as OPTIONS_OF_COMMANDS

PROJECT = Path(__file__).resolve().parents[2]
COLLECTION = PROJECT / "collections" / "ansible_collections" / "pgops" / "runbook"
# What every step shares: the defaults, and what is made of them, are in one role, on which every step's depends. Their
# specification is in another, on which only the first role of a command depends.
SHARED = "runbook"
CHECKED = "variables"
ROLES = sorted(path.name for path in (PROJECT / "roles").iterdir() if path.is_dir() and path.name != SHARED)
# What executes a step, and is none itself: nobody calls it, and it has no options.
EXECUTES = "step"
# What their actions do they do on the controller; the modules are their documentation.
ON_THE_CONTROLLER = {
    "check": (check, OPTIONS_OF_CHECKS),
    "fleet": (fleet, OPTIONS_OF_FLEETS),
    "import_scripts": (import_scripts, OPTIONS_OF_IMPORTS),
    "role_names": (role_names, OPTIONS_OF_NAMES),
    "run_within": (run_within, OPTIONS_OF_COMMANDS),
}
MODULES = sorted(
    path.stem
    for path in (COLLECTION / "plugins" / "modules").glob("*.py")
    if path.stem not in ("__init__", EXECUTES, *ON_THE_CONTROLLER)
)
PLAYBOOKS = sorted([*PROJECT.glob("*.yml"), *(PROJECT / "playbooks").glob("*.yml")])
PLAYBOOKS = [path for path in PLAYBOOKS if path.name != "requirements.yml"]

# Variables that Ansible itself defines.
MAGIC = {
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


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


# Roles ---------------------------------------------------------------------------------------------------


def specification(role: str) -> dict[str, Any]:
    return load(PROJECT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]


def defaults(role: str) -> dict[str, Any]:
    path = PROJECT / "roles" / (SHARED if role == CHECKED else role) / "defaults" / "main.yml"
    return (load(path) or {}) if path.exists() else {}


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
    assert needed(CHECKED) == needed(SHARED) == []
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


def documents() -> dict[str, Any]:
    files = [
        path
        for folder in ("tasks", "vars", "defaults", "handlers")
        for path in (PROJECT / "roles").glob(f"*/{folder}/*.yml")
    ]
    return {str(path.relative_to(PROJECT)): load(path) for path in [*files, *PLAYBOOKS]}


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


# Modules -------------------------------------------------------------------------------------------------


@cache
def documentation() -> dict[str, Any]:
    """What ansible-doc says of all modules; it exits with 0 even when it finds none."""
    answer = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-doc")),
            *("-t", "module", "-j"),
            *(f"pgops.runbook.{name}" for name in (*MODULES, EXECUTES, *ON_THE_CONTROLLER)),
        ],
        cwd=PROJECT,
        env={**os.environ, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "was not found" not in answer.stderr
    return {name.rsplit(".", 1)[-1]: facts for name, facts in json.loads(answer.stdout).items()}


class _Captured(Exception):
    """Carries a module's own argument_spec out of its main()."""

    def __init__(self, argument_spec: dict[str, Any], supports_check_mode: bool = False) -> None:
        super().__init__()
        self.argument_spec = argument_spec
        self.supports_check_mode = supports_check_mode


def declared(name: str, monkeypatch: pytest.MonkeyPatch) -> _Captured:
    """What the module gives to AnsibleModule."""
    step = importlib.import_module(f"ansible_collections.pgops.runbook.plugins.module_utils.steps.{name}")

    def capture(**arguments: Any) -> None:
        raise _Captured(**arguments)

    monkeypatch.setattr(step, "AnsibleModule", capture)
    module = importlib.import_module(f"ansible_collections.pgops.runbook.plugins.modules.{name}")
    with pytest.raises(_Captured) as captured:
        module.main()
    return captured.value


def plain(options: dict[str, Any] | None, suboptions: str) -> dict[str, Any]:
    """Options reduced to what documentation and specification both say."""
    return {
        name: {
            "type": option.get("type", "str"),
            "default": option.get("default"),
            "required": option.get("required", False),
            "choices": sorted(option.get("choices") or []),
            "elements": option.get("elements"),
            "options": plain(option.get(suboptions), suboptions),
        }
        for name, option in (options or {}).items()
    }


def test_ansible_doc_finds_every_module() -> None:
    assert sorted(documentation()) == sorted([*MODULES, EXECUTES, *ON_THE_CONTROLLER])
    assert MODULES, "there are modules"


def test_what_executes_a_step_is_documented_as_nothing_to_call(monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(f"ansible_collections.pgops.runbook.plugins.modules.{EXECUTES}")

    def capture(_: Any, **arguments: Any) -> None:
        raise _Captured(**arguments)

    monkeypatch.setattr(module.Refusal, "__init__", capture)
    with patch_module_args({}), pytest.raises(_Captured) as captured:
        module.main()
    facts = documentation()[EXECUTES]
    assert facts["doc"].get("options", {}) == captured.value.argument_spec == {}
    assert facts["doc"]["attributes"]["check_mode"]["support"] == "full"
    assert captured.value.supports_check_mode
    assert "not for playbooks" in " ".join(facts["doc"]["description"])
    assert yaml.safe_load(facts["examples"]) is None


@pytest.mark.parametrize("name", MODULES)
def test_documented_options_are_the_real_ones(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    documented = plain(documentation()[name]["doc"]["options"], "suboptions")
    assert documented == plain(declared(name, monkeypatch).argument_spec, "options")


@pytest.mark.parametrize("name", MODULES)
def test_check_mode_is_supported_as_documented(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    attributes = documentation()[name]["doc"]["attributes"]
    supported = declared(name, monkeypatch).supports_check_mode
    assert (attributes["check_mode"]["support"] == "full") is supported


@pytest.mark.parametrize("name", MODULES)
def test_passwords_are_kept_from_logs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(options: dict[str, Any]) -> None:
        for option, facts in options.items():
            if "password" in option:
                assert facts.get("no_log") is True, option
            check(facts.get("options") or {})

    check(declared(name, monkeypatch).argument_spec)


@pytest.mark.parametrize("name", [*MODULES, EXECUTES])
def test_documentation_is_complete(name: str) -> None:
    facts = documentation()[name]
    assert facts["doc"]["short_description"]
    assert facts["doc"]["author"]
    assert {"receipts", "outputs"} <= facts["return"].keys()
    assert all(part["description"] and part["type"] for part in facts["return"].values())


@pytest.mark.parametrize("name", ON_THE_CONTROLLER)
def test_what_is_done_on_the_controller_is_documented_as_it_is(name: str) -> None:
    action, options = ON_THE_CONTROLLER[name]
    facts = documentation()[name]
    assert plain(facts["doc"]["options"], "suboptions") == plain(options, "options")
    assert facts["doc"]["attributes"]["check_mode"]["support"] == "full"
    assert action.ActionModule._supports_check_mode
    (task,) = yaml.safe_load(facts["examples"])
    check_arguments(task[f"pgops.runbook.{name}"], facts["doc"]["options"])


def test_a_check_lints_as_preflight_does() -> None:
    default = documentation()["check"]["doc"]["options"]["lint_gating_rules"]["default"]
    assert default == list(defaults("preflight")["preflight_lint_gating_rules"])


def check_arguments(given: Any, options: dict[str, Any]) -> None:
    """Names that do not exist, and required ones that are missing; a template may be anything."""
    if isinstance(given, str) and given.startswith("{{"):
        return
    assert isinstance(given, dict), given
    assert set(given) <= set(options)
    assert {name for name, option in options.items() if option.get("required")} <= set(given)
    for name, value in given.items():
        if options[name].get("suboptions"):
            check_arguments(value, options[name]["suboptions"])


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_tasks_with_options_that_exist(name: str) -> None:
    tasks = yaml.safe_load(documentation()[name]["examples"])
    assert tasks, "there is an example"
    for task in tasks:
        assert task["name"]
        check_arguments(task[f"pgops.runbook.{name}"], documentation()[name]["doc"]["options"])


def tasks_with_modules() -> list[Any]:
    def walk(document: Any, name: str) -> Iterator[Any]:
        if isinstance(document, list):
            for part in document:
                yield from walk(part, name)
        elif isinstance(document, dict):
            for key, value in document.items():
                if key.startswith("pgops.runbook."):
                    yield pytest.param(key.rsplit(".", 1)[-1], value, id=f"{name}: {key}")
                else:
                    yield from walk(value, name)

    return [task for name, document in documents().items() for task in walk(document, name)]


@pytest.mark.parametrize(("module", "arguments"), tasks_with_modules())
def test_roles_give_modules_options_that_exist(module: str, arguments: dict[str, Any]) -> None:
    check_arguments(arguments, documentation()[module]["doc"]["options"])


def test_every_module_is_used_by_a_role() -> None:
    assert {task.values[0] for task in tasks_with_modules()} == {*MODULES, *ON_THE_CONTROLLER}


def test_every_module_is_in_the_action_group_and_routed_to_the_step() -> None:
    runtime = load(COLLECTION / "meta" / "runtime.yml")
    assert sorted(runtime["action_groups"]["all"]) == MODULES
    # The action of preflight has a file of its own, and is the same; that of new_migration is another one.
    assert preflight.ActionModule is step.ActionModule
    assert runtime["plugin_routing"]["modules"] == {
        name: {"action_plugin": "pgops.runbook.step"}
        for name in MODULES
        if name not in ("preflight", "new_migration")
    }
