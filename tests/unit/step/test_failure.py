# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A step that fails before it has reached its server."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import ServerUnreachable
from ansible_collections.pgops.runbook.plugins.module_utils.step.failure import failure_of
from ansible_collections.pgops.runbook.plugins.module_utils.step.step import Step


def step(name: str) -> Step:
    run = {"run_id": "r", "playbook": "deploy"}
    module: Any = SimpleNamespace(
        params={"run": run, "plan": {}, "backup_dir": None}, check_mode=False, warn=pytest.fail
    )
    return Step(module, name)


@pytest.mark.parametrize("name", ["apply", "emergency_rollback", "swap"])
def test_where_nobody_was_reached_production_is_as_it_was(name: str) -> None:
    answer = failure_of(step(name), ServerUnreachable("server_unreachable", "Nobody answers."))
    assert answer["msg"] == f"Nobody answers. Step {name} did not begin."
    assert (answer["outcome"], answer["reason_code"]) == ("refused", "server_unreachable")


def test_a_refusal_is_answered_as_it_is_with_what_is_known_of_the_backup() -> None:
    failed = step("smoke_test")
    failed.backup_gone = lambda _: {"code": "backup_missing"}
    answer = failure_of(failed, Refused("smoke_test_failed", "It said false.\x1b[2J", script="a.sql"))
    assert answer["backup_gone"] == {"code": "backup_missing"}
    assert answer["details"] == {"script": "a.sql"}
    assert "\x1b" not in answer["msg"], "what a row says does not steer a terminal"
    assert (answer["failed"], answer["changed"]) == (True, False)
