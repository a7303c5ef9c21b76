# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""ansible.cfg has only keys that the locked ansible-core and its plugins read: others do nothing, without a word."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
CONFIGURATION = PROJECT / "ansible.cfg"


def _complaints(configuration: Path) -> list[str]:
    """What ansible-config says against a file, judging by its own definitions and those of every plugin."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment["ANSIBLE_CONFIG"] = str(configuration)  # with --config it does not know the plugins' keys
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-config")), "validate", "--type", "all"],
        env=environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    said = done.stdout + done.stderr
    assert (done.returncode == 0) == ("All configurations seem valid" in said), said
    return [line for line in said.splitlines() if "[ERROR]" in line]


def test_every_key_is_one_that_ansible_knows() -> None:
    assert _complaints(CONFIGURATION) == []


def test_a_key_of_another_name_and_one_in_another_section_are_complained_of(tmp_path: Path) -> None:
    text = CONFIGURATION.read_text(encoding="utf-8")
    changed = tmp_path / "ansible.cfg"
    changed.write_text(text.replace("callback_result_format", "result_format") + "nocows = true\n")
    complaints = _complaints(changed)
    assert len(complaints) == 2, complaints
    assert "'result_format' in section 'defaults'" in complaints[0]
    assert "'nocows' in section 'ssh_connection'" in complaints[1]


@pytest.mark.parametrize("there", [False, True])
def test_an_inventory_without_databases_is_an_error_and_no_success(tmp_path: Path, there: bool) -> None:
    """Ansible by itself skips every play, and ends with status 0."""
    inventory = tmp_path / "hosts.yml"
    if there:
        inventory.write_text("other:\n  hosts:\n    one:\n", encoding="utf-8")
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            *("-i", str(inventory), "deploy.yml", "-e", "migration=pending"),
        ],
        env={**os.environ, "ANSIBLE_CONFIG": str(CONFIGURATION)},
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert ("databases" if there else str(inventory)) in done.stderr
