# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A playbook that is none of ours, under our callback: what it says and what it changes is seen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.stories.application import PROJECT

PLAYBOOK = """
- name: Somebody's own
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Say a sentence
      ansible.builtin.debug:
        msg: "a sentence\\nof two lines"
    - name: Say a list
      ansible.builtin.debug:
        msg: [first of a list, second of a list]
    - name: Say a variable
      ansible.builtin.debug:
        var: inventory_hostname
    - name: Look
      ansible.builtin.command: "true"
      changed_when: false
    - name: Touch
      ansible.builtin.command: "true"
      changed_when: true
      loop: [one, other]
    - name: Try
      ansible.builtin.command: sh -c "echo on stdout; echo on stderr >&2; exit 3"
      changed_when: false
      ignore_errors: true
    - name: Fail
      ansible.builtin.fail:
        msg: it had to be
      when: fails | default(false)
"""


@pytest.fixture
def printed(tmp_path: Path) -> Any:
    """Runs the playbook with arguments; returns (exit status, lines)."""
    (tmp_path / "own.yml").write_text(PLAYBOOK, encoding="utf-8")

    def run(*arguments: str) -> tuple[int, list[str]]:
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("ansible-playbook")),
                *("-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}"),
                *(str(tmp_path / "own.yml"), *arguments),
            ],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        return done.returncode, done.stdout.splitlines()

    return run


def test_what_it_says_and_changes_is_seen(printed: Any) -> None:
    status, lines = printed()
    assert status == 0, lines
    assert lines[:3] == ["Somebody's own: localhost", "a sentence", "of two lines"]
    text = "\n".join(lines)
    for words in ("first of a list", "second of a list", "inventory_hostname: localhost"):
        assert words in text
    assert [line for line in lines if line.startswith("  ✓ ")] == ["  ✓ Touch (one)", "  ✓ Touch (other)"]
    (at,) = [number for number, line in enumerate(lines) if line.startswith("  ✗ Try")]
    assert lines[at + 1 : at + 5] == [
        "    non-zero return code",
        "    on stdout",
        "    on stderr",
        "    It is ignored.",
    ]
    assert lines[-1] == "localhost: ok=6, changed=1, failures=0, unreachable=0"


def test_a_module_that_could_not_start_is_shown_with_what_it_said(printed: Any, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no python here >&2\nexit 127\n", encoding="utf-8")
    python.chmod(0o755)
    status, lines = printed("-e", f"ansible_python_interpreter={python}")
    assert status == 2
    assert "    no python here" in lines


def test_a_failure_ends_in_what_was_done(printed: Any) -> None:
    status, lines = printed("-e", '{"fails": true}')
    assert status == 2
    assert lines[-3:] == [
        "  ✗ Fail",
        "    it had to be",
        "localhost: ok=6, changed=1, failures=1, unreachable=0",
    ]
