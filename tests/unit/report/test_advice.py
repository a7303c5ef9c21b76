# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a report says is to be typed next: only what can be done, and nothing where nothing is to be done."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.report.advice import next_command
from ansible_collections.pgops.runbook.plugins.plugin_utils.report.run import run_report

from tests.unit.report.test_run import run

FAILED_ROLLBACK = (("verify_restore", "ok"), ("verify", "failed"), ("emergency_rollback", "failed"))


def next_line(content: Any) -> list[Any]:
    return [line for line in run_report(content, "x") if line.startswith("Next:")]


GONE = {"run_id": "r1", "why": "The backup is gone: /backups/r1 is no longer there."}


def test_a_rollback_that_failed_too_offers_the_restore_of_its_own_backup() -> None:
    command = "ansible-playbook playbooks/restore.yml -e run_id=r1"
    (line,) = next_line(run("failed", steps=FAILED_ROLLBACK))
    assert line.endswith(command)
    assert next_line(run("restored", steps=(*FAILED_ROLLBACK, ("swap", "ok")))) == []


def test_a_backup_that_is_known_to_be_gone_is_not_offered() -> None:
    (line,) = next_line(run("failed", steps=FAILED_ROLLBACK, backup_gone=GONE))
    assert line == (
        "Next: correct the rollback script, then: ansible-playbook emergency_rollback.yml -e migration=009. The backup"
        " of run r1 cannot be put back (The backup is gone: /backups/r1 is no longer there); which others there are"
        " says: ansible-playbook playbooks/restore.yml"
    )
    of_another = {**GONE, "run_id": "r7"}
    (line,) = next_line(run("failed", steps=FAILED_ROLLBACK, backup_gone=of_another))
    assert line.endswith("playbooks/restore.yml -e run_id=r1")


@pytest.mark.parametrize(("code", "offered"), [("backup_damaged", False), ("no_room", True)])
def test_nor_one_that_the_automatic_restore_did_not_find(code: str, offered: bool) -> None:
    content = run("failed", steps=(*FAILED_ROLLBACK, ("restore", "failed")))
    content["steps"][-1].update(reason_code=code, reason="The backup was damaged.")
    (line,) = next_line(content)
    assert line.endswith("-e run_id=r1") is offered
    assert ("(The backup was damaged)" in line) is not offered


def test_nor_after_a_rollback_by_hand() -> None:
    facts = {"restorable_run": "r0", "backup_gone": {**GONE, "run_id": "r0"}}
    steps = (("preflight", "ok"), ("emergency_rollback", "failed"))
    (line,) = next_line(run("unchanged", "emergency_rollback", steps, **facts))
    assert "The backup of run r0 cannot be put back" in line
    assert "-e run_id" not in line
    backup = {
        "kind": "restore_point",
        "why": "so",
        "restore_point": "p",
        "lsn": "0/1",
        "engine": "pgbackrest",
    }
    lines = run_report(run("rolled_back", "emergency_rollback", emergency_backup=backup, **facts), "x")
    assert not any("restore_to" in one for one in lines)


@pytest.mark.parametrize("code", ["password_unavailable", "server_unreachable", "host_unreachable"])
def test_a_rollback_that_reached_nobody_is_to_be_started_by_hand(code: str) -> None:
    content = run("failed", steps=[("apply", "ok"), ("verify", "failed"), ("emergency_backup", "failed")])
    content["steps"][-1]["reason_code"] = code
    (line,) = next_line(content)
    assert line.endswith(
        "playbooks/status.yml, then ansible-playbook emergency_rollback.yml -e migration=009"
    )
    steps = (("preflight", "ok"), ("emergency_rollback", "failed"))
    by_hand = run("failed", "emergency_rollback", steps, restorable_run="r0")
    by_hand["steps"][-1]["reason_code"] = code
    (line,) = next_line(by_hand)
    assert line == "Next: ansible-playbook playbooks/status.yml"


@pytest.mark.parametrize("outcome", ["failed", "unchanged"])
def test_a_rollback_by_hand_that_failed_offers_the_backup_from_before_the_deploy(outcome: str) -> None:
    steps = (("preflight", "ok"), ("emergency_rollback", "failed"))
    (line,) = next_line(run(outcome, "emergency_rollback", steps, restorable_run="r0"))
    assert line.endswith("ansible-playbook playbooks/restore.yml -e run_id=r0")
    assert "restore.yml" not in " ".join(next_line(run(outcome, "emergency_rollback", steps)))


@pytest.mark.parametrize("code", ["lock_not_available", "synchronous_standby_missing"])
def test_nor_where_the_rollback_was_not_what_failed(code: str) -> None:
    failing = run("unchanged", "emergency_rollback", (("preflight", "ok"),), restorable_run="r0")
    failing["steps"].append(
        {"step": "emergency_rollback", "status": "failed", "reason_code": code, "reason": "x"}
    )
    assert "correct the rollback script" not in " ".join(next_line(failing))
    failing["steps"][-1]["reason_code"] = "statement_failed"
    assert "correct the rollback script" in " ".join(next_line(failing))


def test_only_a_failure_names_a_next_step() -> None:
    assert next_command(run("deployed")) is None
    (line,) = [line for line in run_report(run("failed"), "x") if line.startswith("Next:")]
    assert "emergency_rollback.yml -e migration=009" in line


def test_files_that_did_not_follow_name_the_command_that_goes_on() -> None:
    files = {"migrations": ["names"], "hosts": {"media1": None}}
    (line,) = [line for line in run_report(run("failed", files=files), "x") if line.startswith("Next:")]
    assert "ansible-playbook deploy.yml -e migration=names" in line


@pytest.mark.parametrize("playbook", ["deploy", "emergency_rollback"])
def test_what_is_half_done_is_finished_by_the_command_that_began_it(playbook: str) -> None:
    step = "apply" if playbook == "deploy" else playbook
    content = run("failed", playbook, steps=[(step, "failed")])
    content["steps"][0].update(
        half_done={"migration": "003", "words": "003: ..."}, reason_code="lock_not_available"
    )
    (line,) = next_line(content)
    assert line.endswith(f"which resumes where it stopped: ansible-playbook {playbook}.yml -e migration=003")
