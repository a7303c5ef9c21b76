# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Modules and their documentation agree, and roles give them options that exist."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

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

from tests.playbook_documents import PROJECT, defaults, documents, load

COLLECTION = PROJECT / "collections" / "ansible_collections" / "pgops" / "runbook"
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
