# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""ansible-core packs the code of the steps once in a run, whatever number of steps it has."""

from __future__ import annotations

import re

from tests.integration.stories.application import Application, Run


def packed(run: Run) -> list[str]:
    """The runbook's modules that ansible-core packed, in the words of its own debugging: it locks each for that."""
    return re.findall(r"ANSIBALLZ: Lock acquired: .*\bpgops\.runbook\.plugins\.modules\.(\w+)-", run.output)


def taken_as_packed(run: Run) -> list[str]:
    """Those that it had packed earlier in the run."""
    return re.findall(
        r"ANSIBALLZ: using cached module: .*\bpgops\.runbook\.plugins\.modules\.(\w+)-", run.output
    )


def test_a_deploy_packs_one_payload_for_all_its_steps(application: Application) -> None:
    run = application.deploy("002", env={"ANSIBLE_DEBUG": "true"})
    assert (run.status, run.record["outcome"]) == (0, "deployed")
    steps = [step["step"] for step in run.record["steps"]]
    assert len(steps) == 8
    assert packed(run) == ["step"]
    assert taken_as_packed(run) == ["step"] * len(steps), "of all but the first, and of announce"


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
