# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A command that finds what earlier ones have parsed and compiled says what ansible-playbook says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.integration.stories.application import PROJECT, own_environment
from tests.warm_ansible import WarmAnsible

TASKS = r"""
- hosts: localhost
  gather_facts: false
  vars:
    nested: "{{ '{{ 1 + 1 }}' }} {{ word }}"
    word: first
    number: 7
  tasks:
    - ansible.builtin.debug:
        msg: ["{{ nested }}", "{{ 'a_name' | regex_replace('^(.*)_name$', '\\1') }}", "{{ number + 1 }}"]
    - ansible.builtin.debug:
        msg: "{% if number > 3 %}more{% endif %} {{ not_there | default('none') }}"
      when: number > 3 and word is match('f')
    - ansible.builtin.debug:
        msg: "never"
      when: number > 3 3
      ignore_errors: true
    - ansible.builtin.debug:
        msg: "{{ number +"
      ignore_errors: true
    - ansible.builtin.debug:
        msg: "{{ not_there }}"
      ignore_errors: true
"""


def test_it_says_the_same_and_reads_a_file_that_was_changed(tmp_path: Path) -> None:
    playbook = tmp_path / "playbook.yml"
    arguments = ["-i", "localhost,", str(playbook)]
    environment = {**own_environment(), "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default"}
    warm = WarmAnsible(environment)
    playbook.write_text(TASKS, encoding="utf-8")
    plain = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), *arguments],
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    ).stdout
    assert plain.count("ok: [localhost]") == 2, plain
    assert plain.count("...ignoring") == 3, plain
    # The second finds what the first one made, and the third what either did.
    assert [warm.run(arguments, environment)[1] for _ in range(3)] == [plain] * 3
    playbook.write_text(TASKS.replace("word: first", "word: fine"), encoding="utf-8")
    assert warm.run(arguments, environment)[1] == plain.replace("first", "fine")
