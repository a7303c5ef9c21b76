# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A step in a process of its own on the controller's machine: when, and that it is what it would be on a target."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

import pytest
from ansible.module_utils import _internal
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import become_loader, connection_loader
from ansible_collections.pgops.runbook.plugins.module_utils.steps import status
from ansible_collections.pgops.runbook.plugins.plugin_utils.run import own_machine
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.own_machine import execute, is_own_machine

TARGET = {
    "login_host": "/nowhere",
    "login_user": "nobody",
    "login_password": "oh so secret",
    "login_db": "none",
}
ARGUMENTS: dict[str, Any] = {
    "_ansible_module_name": "pgops.runbook.status",
    "target": TARGET,
    "run": {"playbook": "status", "run_id": "", "migration": "all"},
    "plan": {},
}


def connection(name: str) -> Any:
    return connection_loader.get(name, PlayContext(), os.devnull)


def test_it_is_where_a_module_would_be_run_by_this_python_for_this_user() -> None:
    assert is_own_machine(connection("local"), sys.executable, "")


@pytest.mark.parametrize("interpreter", ["/usr/bin/python3.99", f"{sys.executable}x", None, ""])
def test_another_python_is_started(interpreter: object) -> None:
    assert not is_own_machine(connection("local"), interpreter, "")


def test_another_machine_another_environment_or_another_user_has_it_sent(monkeypatch: Any) -> None:
    assert not is_own_machine(connection("ssh"), sys.executable, "")
    assert not is_own_machine(connection("local"), sys.executable, "PGAPPNAME=deploy ")
    other_user = connection("local")
    other_user.set_become_plugin(become_loader.get("su"))
    assert not is_own_machine(other_user, sys.executable, "")
    monkeypatch.setattr("ansible.constants.DEFAULT_KEEP_REMOTE_FILES", True)
    assert not is_own_machine(connection("local"), sys.executable, "")


def test_arguments_are_checked_secrets_masked_and_the_result_is_json() -> None:
    answer = execute(ARGUMENTS)
    result = json.loads(answer["stdout"])
    assert (answer["rc"], result["failed"], result["reason_code"]) == (1, True, "server_unreachable")
    assert result["invocation"]["module_args"]["target"]["login_password"] == (
        "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    )
    assert TARGET["login_password"] not in answer["stdout"] + answer["stderr"]
    unknown = json.loads(execute({**ARGUMENTS, "nonsense": 1})["stdout"])
    assert "Unsupported parameters for (pgops.runbook.status) module: nonsense." in unknown["msg"]


def test_what_it_leaves_in_memory_is_gone_with_it() -> None:
    before = dict(os.environ), list(sys.argv), signal.getsignal(signal.SIGTERM)
    execute(ARGUMENTS)
    assert (dict(os.environ), list(sys.argv), signal.getsignal(signal.SIGTERM)) == before
    assert _internal.is_controller is True


def test_a_warning_is_in_the_result(monkeypatch: Any) -> None:
    """On a controller ansible-core would show it, and no record of the run would have it."""
    real = status.AnsibleModule

    class WithWarning(real):  # type: ignore[valid-type]  # mypy knows no class in a variable
        def fail_json(self, *arguments: Any, **options: Any) -> None:
            self.warn("the moon is full")
            real.fail_json(self, *arguments, **options)

    monkeypatch.setattr(status, "AnsibleModule", WithWarning)
    answer = json.loads(execute(ARGUMENTS)["stdout"])
    assert "the moon is full" in json.dumps(answer["warnings"])


@pytest.mark.parametrize(
    ("end", "rc", "stdout"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), -signal.SIGKILL, ""),
        (lambda: os.kill(os.getpid(), signal.SIGTERM), -signal.SIGTERM, ""),
        (lambda: os.kill(os.getpid(), signal.SIGINT), 128 + signal.SIGINT, "said before\n"),
        (lambda: sys.exit(3), 3, "said before\n"),
        (lambda: sys.exit(), 0, "said before\n"),
        (lambda: sys.exit("words"), 1, "said before\n"),
    ],
)
def test_how_the_process_ended_is_told(monkeypatch: Any, end: Any, rc: int, stdout: str) -> None:
    def run_module(**_: Any) -> None:
        print("said before")
        end()

    monkeypatch.setattr(own_machine, "run_module", run_module)
    # As in a process of ansible-core's, which hands a signal to its group.
    handler = signal.signal(signal.SIGTERM, lambda *_: os._exit(1))
    try:
        answer = execute(ARGUMENTS)
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert (answer["rc"], answer["stdout"]) == (rc, stdout)
