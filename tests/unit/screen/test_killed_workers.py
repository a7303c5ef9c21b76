# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which end of one of Ansible's processes ends the command; that it does: tests/integration/stories/test_screen.py."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import pytest
import yaml
from ansible_collections.pgops.runbook.plugins.plugin_utils.screen import killed_workers
from ansible_collections.pgops.runbook.plugins.plugin_utils.screen.killed_workers import (
    KilledWorkers,
    killed_by,
)

PROJECT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("status", [0, 1, 99, -signal.SIGTERM, -signal.SIGINT])
def test_what_ended_by_itself_or_by_ansible_is_not_one(status: int) -> None:
    assert killed_by(7, status) == []


@pytest.mark.parametrize(
    ("status", "named"), [(-signal.SIGKILL, "SIGKILL"), (-signal.SIGSEGV, "SIGSEGV"), (-35, "signal 35")]
)
def test_what_was_killed_is_named_with_its_signal(status: int, named: str) -> None:
    (sentence,) = killed_by(7, status)
    assert sentence.startswith(f"A process of this command was killed ({named}, pid 7)")


@pytest.mark.parametrize("strategy", ["linear", "ansible.builtin.linear", "debug"])
def test_a_strategy_that_looks_itself_is_left_to_it(strategy: str) -> None:
    before = threading.active_count()
    KilledWorkers().begin_play(strategy)
    assert threading.active_count() == before


def test_the_strategy_of_a_deploy_does_not_look() -> None:
    plays = yaml.safe_load((PROJECT / "deploy.yml").read_text(encoding="utf-8"))
    strategies = [play["strategy"] for play in plays if "strategy" in play]
    assert strategies
    assert set(strategies) <= set(killed_workers.BLIND_STRATEGIES)
