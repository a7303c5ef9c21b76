# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What goes into a file or a pipe is there when it is said, and not when the run is over."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.integration.stories.application import PROJECT, own_environment

PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Wait for it
      ansible.builtin.stat: {{path: "{go}"}}
      register: found
      until: found.stat.exists
      retries: 60
      delay: 1
"""


def test_a_line_can_be_read_while_the_next_task_works(tmp_path: Path) -> None:
    go = tmp_path / "go"
    playbook = tmp_path / "two.yml"
    playbook.write_text(PLAYBOOK.format(go=go), encoding="utf-8")
    process = subprocess.Popen(
        [str(PROJECT / ".venv/bin/ansible-playbook"), str(playbook)],
        cwd=PROJECT,
        env=own_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        # It ends a minute later by itself; a line that waits in a buffer comes with its end.
        assert any("RETRYING: [localhost]: Wait for it" in line for line in process.stdout), (
            "the process has ended without it"
        )
        assert process.poll() is None, "it is at work still"
    finally:
        go.touch()
        process.stdout.read()
        assert process.wait(120) == 0
