# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""ansible-core packs the code of the steps once in a run, whatever number of steps it has, or not at all."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.stories.application import Application, Run

# Becomes nobody else: this machine may have no sudo.
BECOME = """
from ansible.plugins.become import BecomeBase

DOCUMENTATION = 'name: planted\\nshort_description: none\\ndescription: [none]\\noptions: {}'


class BecomeModule(BecomeBase):
    name = "planted"

    def build_become_command(self, cmd, shell):
        return cmd
"""


def packed(run: Run) -> list[str]:
    """The runbook's modules that ansible-core packed, in the words of its own debugging: it locks each for that."""
    return re.findall(r"ANSIBALLZ: Lock acquired: .*\bpgops\.runbook\.plugins\.modules\.(\w+)-", run.output)


def taken_as_packed(run: Run) -> list[str]:
    """Those that it had packed earlier in the run."""
    return re.findall(
        r"ANSIBALLZ: using cached module: .*\bpgops\.runbook\.plugins\.modules\.(\w+)-", run.output
    )


# The same Python by another name, which is not known to be the same.
OTHER_NAME = str(Path(sys.executable).parent / ".." / "bin" / Path(sys.executable).name)


def test_a_deploy_packs_one_payload_for_all_its_steps(application: Application) -> None:
    run = application.deploy("002", env={"ANSIBLE_DEBUG": "true"}, ansible_python_interpreter=OTHER_NAME)
    assert (run.status, run.record["outcome"]) == (0, "deployed")
    steps = [step["step"] for step in run.record["steps"]]
    assert len(steps) == 8
    assert packed(run) == ["step"]
    assert taken_as_packed(run) == ["step"] * len(steps), "of all but the first, and of announce"


def test_on_the_controller_s_own_machine_nothing_is_packed(application: Application) -> None:
    run = application.deploy("002", env={"ANSIBLE_DEBUG": "true"})
    assert (run.status, run.record["outcome"]) == (0, "deployed")
    assert packed(run) == []


@pytest.mark.parametrize(
    "keyword", [{"environment": {"PGAPPNAME": "of the task"}}, {"become": True, "become_method": "planted"}]
)
def test_what_a_task_asks_of_its_module_s_process_is_kept(
    application: Application, keyword: dict[str, Any]
) -> None:
    """Another environment or another user is nothing that a process has which is forked from the task's."""
    application.folder.mkdir(parents=True, exist_ok=True)
    plugins = application.folder / "become"
    plugins.mkdir()
    (plugins / "planted.py").write_text(BECOME, encoding="utf-8")
    playbook = application.folder / "status.yml"
    task = {
        "pgops.runbook.status": {
            "target": {
                "login_host": "{{ db_host }}",
                "login_port": "{{ db_port }}",
                "login_user": "{{ db_user }}",
                "login_db": "{{ inventory_hostname }}",
            },
            "run": {"playbook": "status", "sql_dir": "{{ sql_dir }}", "artifacts_dir": "{{ artifacts_dir }}"},
        },
        **keyword,
    }
    playbook.write_text(
        yaml.safe_dump([{"hosts": "databases", "gather_facts": False, "tasks": [task]}]), encoding="utf-8"
    )
    environment = {"ANSIBLE_DEBUG": "true", "ANSIBLE_BECOME_PLUGINS": str(plugins)}
    run = application.run(str(playbook), env=environment)
    assert run.status == 0, run.output
    assert packed(run) == ["step"]


def test_what_executes_a_step_is_nothing_to_call(application: Application) -> None:
    before = application.contents()
    playbook = application.folder / "call.yml"
    application.folder.mkdir(parents=True, exist_ok=True)
    playbook.write_text(
        "- hosts: databases\n  gather_facts: false\n  tasks:\n    - pgops.runbook.step: {step: apply}\n",
        encoding="utf-8",
    )
    run = application.run(str(playbook))
    assert run.status != 0
    assert "pgops.runbook.step executes a step and is none itself. Production was not touched." in " ".join(
        run.output.split()
    )
    assert application.contents() == before
    assert not application.artifacts.exists()
