# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Ansible does with several hosts of which one fails, and what the runbook's role fleet makes of it.

No database is asked: the steps are tasks that say something, and how a run ends is what the inventory says.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.stories.application import PROJECT, Run, own_environment, warm_ansible

HOSTS = [f"db{number}" for number in range(1, 9)]

# A block with its rescue and its end, as deploy.yml has them.
STEPS: list[dict[str, Any]] = [
    {
        "block": [
            {"import_role": {"name": "fleet"}},
            {"debug": {"msg": "step one of {{ inventory_hostname }}"}},
            {"fail": {"msg": "planted"}, "when": "outcome != 'deployed'"},
            {"debug": {"msg": "step two of {{ inventory_hostname }}"}},
        ],
        "rescue": [{"debug": {"msg": "rescue of {{ inventory_hostname }}"}}],
        "always": [
            {"run_ends": {"outcome": "{{ outcome }}"}},
            {"fail": {"msg": "it ended so"}, "when": "outcome != 'deployed'"},
        ],
    }
]

RUN_ENDS = """
from ansible.plugins.action import ActionBase
from ansible_collections.pgops.runbook.plugins.plugin_utils.fleet.ending import concluded_in_fleet
from ansible_collections.pgops.runbook.plugins.plugin_utils.fleet.gate import registered_fleet
from ansible_collections.pgops.runbook.plugins.plugin_utils.record.record import RunRecord
from tests.unit.fleet.fleets import run_of


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        host = task_vars["inventory_hostname"]
        run = run_of(host, self._task.args["outcome"])
        record = RunRecord(task_vars["artifacts_dir"], run["run_id"], run)
        return concluded_in_fleet({"run": run, "changed": False}, record, registered_fleet(task_vars), host)
"""


def keywords(playbook: str) -> dict[str, Any]:
    """How a playbook goes through its hosts."""
    plays = yaml.safe_load((PROJECT / playbook).read_text(encoding="utf-8"))
    (play,) = (play for play in plays if play.get("tasks"))
    return {key: play[key] for key in ("serial", "strategy") if key in play}


def play(folder: Path, how: dict[str, Any], *arguments: str, steps: Any = STEPS, **variables: Any) -> Run:
    """Go through the hosts; the third one's run does not end well."""
    plays = [
        {"hosts": "databases", "gather_facts": False, "tasks": []},
        {
            **{"name": "Steps", "hosts": "databases", "gather_facts": False},
            **{"vars": {"runbook_playbook": "deploy"}, "tasks": steps},
            **how,
        },
    ]
    hosts = {name: {"outcome": "refused" if name == "db3" else "deployed"} for name in HOSTS}
    shared = {
        "ansible_connection": "local",
        "artifacts_dir": str(folder / "artifacts"),
        "migration": "009",
        **variables,
    }
    inventory = folder / "inventory.yml"
    inventory.write_text(yaml.safe_dump({"databases": {"hosts": hosts, "vars": shared}}), encoding="utf-8")
    (folder / "play.yml").write_text(yaml.safe_dump(plays), encoding="utf-8")
    (folder / "action_plugins").mkdir(exist_ok=True)
    (folder / "action_plugins" / "run_ends.py").write_text(RUN_ENDS, encoding="utf-8")
    status, output = warm_ansible().run(
        ["-i", str(inventory), str(folder / "play.yml"), *arguments], own_environment()
    )
    return Run(status, output, folder / "artifacts")


def said(run: Run, what: str) -> list[str]:
    """Of which hosts a task has said something."""
    return sorted({line.split()[-1] for line in run.output.splitlines() if line.startswith(what)})


def statuses(run: Run) -> list[str]:
    (path,) = run.artifacts.glob("*-fleet-*/fleet.json")
    return [one["status"] for one in json.loads(path.read_text(encoding="utf-8"))["databases"]]


def test_ansible_s_own_stop_sends_every_host_of_the_batch_into_its_rescue(tmp_path: Path) -> None:
    """Why no play has any_errors_fatal: runs that are fine would be broken off between two steps, and taken back."""
    without_gate = [{**STEPS[0], "block": STEPS[0]["block"][1:]}]
    how = {"serial": [8], "any_errors_fatal": True}
    run = play(tmp_path, how, steps=without_gate)
    assert said(run, "rescue") == HOSTS
    assert said(run, "step two") == []


@pytest.mark.parametrize("playbook", ["deploy.yml", "emergency_rollback.yml"])
def test_others_of_the_batch_go_on_and_later_batches_are_untouched(tmp_path: Path, playbook: str) -> None:
    run = play(tmp_path, keywords(playbook), fleet_batches=[1, 3, "100%"])
    assert run.status != 0
    assert said(run, "rescue") == ["db3"]
    assert said(run, "step two") == ["db1", "db2", "db4"]
    assert said(run, "step one") == ["db1", "db2", "db3", "db4"]
    assert statuses(run) == ["deployed", "deployed", "refused", "deployed", *["untouched"] * 4]
    assert "stopped in batch 2 of 3" in run.output


def test_of_the_batch_of_a_failure_those_that_have_not_begun_are_untouched(tmp_path: Path) -> None:
    run = play(tmp_path, keywords("deploy.yml"), "--forks=1", "-e", "fleet_batches=100%")
    assert run.status != 0
    assert statuses(run) == ["deployed", "deployed", "refused", *["untouched"] * 5]
    assert said(run, "step one") == ["db1", "db2", "db3"]


def test_without_the_setting_it_is_one_after_the_other(tmp_path: Path) -> None:
    run = play(tmp_path, keywords("deploy.yml"))
    assert statuses(run) == ["deployed", "deployed", "refused", *["untouched"] * 5]
    assert "stopped in batch 3 of 8" in run.output
