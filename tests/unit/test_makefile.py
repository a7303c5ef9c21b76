# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What ``make`` hands on to the programs that it starts."""

from __future__ import annotations

import os
import subprocess

from tests.unit.test_rooms import PROJECT


def test_settings_of_the_callers_shell_that_would_lead_astray_or_slow_down_are_not_handed_on() -> None:
    foreign = {"PGHOST": "elsewhere", "ANSIBLE_CONFIG": "elsewhere", "PYTHONDONTWRITEBYTECODE": "1"}
    command = ["make", "--silent", "--eval=environment: ; @env", "environment"]
    done = subprocess.run(
        command, cwd=PROJECT, env={**os.environ, **foreign}, capture_output=True, text=True, check=True
    )
    handed_on = {line.partition("=")[0] for line in done.stdout.splitlines()}
    assert "PATH" in handed_on
    assert not handed_on & foreign.keys()
