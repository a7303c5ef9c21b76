# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Two people deploy: one starts it, the other approves what its rehearsal has shown, and it goes on."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from tests.integration.restore_runs import wait_for as until
from tests.integration.stories.application import Application, Run, inventory_as_typed
from tests.record_schema import check_record

ANN, BOB = "ann", "bob"


def record_of(application: Application, run_id: str) -> dict[str, Any]:
    text = (application.artifacts / run_id / "run.json").read_text(encoding="utf-8")
    content = json.loads(text.replace(inventory_as_typed(application.folder), ""))
    check_record(content)
    return content


def approve(application: Application, run_id: str, *arguments: str, login: str) -> Run:
    return application.run("playbooks/approve.yml", "-e", f"run_id={run_id}", *arguments, login=login)


def test_stop_approve_and_go_on(application: Application, tmp_path: Path) -> None:
    log = tmp_path / "commands"
    note = ["/bin/sh", "-c", f'echo "$0" >> {log}; cat >> {log}; echo >> {log}']
    application.variables.update(
        approvals_required_for=["HIGH", "CRITICAL"],
        maintenance_window_open_command=[*note, "OUT"],
        maintenance_window_close_command=[*note, "BACK"],
        announce_command=[*note, "TOLD"],
    )
    before = application.contents(ledger=False)
    stopped = application.deploy("002", login=ANN)
    record = stopped.record
    run_id = record["run_id"]
    assert stopped.status != 0, "who waits for exit status 0 must notice that nothing was deployed"
    assert (record["outcome"], record["reason_code"]) == ("awaiting_approval", "approvals_missing")
    assert record["failed_step"] is None
    assert record["approval"]["why"] == ["the header of 002 states no risk level"]
    assert application.contents(ledger=False) == before
    lines = [line.strip() for line in stopped.output.splitlines()]
    approves, goes_on, report = lines[
        lines.index(f"Record: {application.artifacts / run_id / 'run.json'}") - 3 :
    ][:3]
    assert f"Approve, by another login than that of {record['operator']}: " in approves, stopped.output
    assert approves.endswith(f"ansible-playbook playbooks/approve.yml -e run_id={run_id}")
    assert goes_on.startswith("Then resume, until ")
    assert goes_on.endswith(f": ansible-playbook deploy.yml -e run_id={run_id}")
    page = Path(report.removeprefix("Report: ")).read_text(encoding="utf-8")
    assert f"approve.yml{inventory_as_typed(application.folder)} -e run_id={run_id}" in page
    said = log.read_text(encoding="utf-8")
    assert [word for word in said.split() if word in ("OUT", "BACK", "TOLD")] == [
        "TOLD",
        "OUT",
        "BACK",
        "TOLD",
    ]
    assert (
        json.loads([line for line in said.splitlines() if line][-1])["run"]["outcome"] == "awaiting_approval"
    )

    own = approve(application, run_id, login=ANN)
    assert own.status != 0
    assert "ann has started run" in own.output
    too_early = application.run("deploy.yml", "-e", f"run_id={run_id}", login=ANN)
    assert too_early.status != 0
    assert record_of(application, run_id) == record, "it waits on"
    assert f"playbooks/approve.yml -e run_id={run_id}" in too_early.output
    assert "OUT" not in log.read_text(encoding="utf-8")[len(said) :]

    looked = approve(application, run_id, "--check", login=BOB)
    assert looked.status == 0, looked.output
    assert "Check mode: it would be approved by bob@" in looked.output
    assert "Schema of 002: + column" in looked.output
    approved = approve(application, run_id, "-e", "approval_comment=looks-right", login=BOB)
    assert approved.status == 0, approved.output
    assert "the run has 1 of 1 approval" in approved.output
    looked = application.run("deploy.yml", "-e", f"run_id={run_id}", "--check", login=ANN)
    assert looked.status == 0, looked.output
    assert record_of(application, run_id) == record
    gone_on = application.run("deploy.yml", "-e", f"run_id={run_id}", login=ANN)
    assert gone_on.status == 0, gone_on.output
    record = record_of(application, run_id)
    assert record["outcome"] == "deployed"
    assert [one["comment"] for one in record["approval"]["given"]] == ["looks-right"]
    assert [step["step"] for step in record["steps"]] == [
        "preflight",
        "maintenance_window",
        "backup",
        "verify_restore",
        "rehearse",
        "approval",
        "approval",
        "maintenance_window",
        "apply",
        "verify",
        "smoke_test",
    ]


def test_another_deploys_meanwhile(application: Application) -> None:
    """The run that waits holds nothing; what it has rehearsed is no longer true then, and it ends as refused."""
    waiting = application.deploy("002", login=ANN, approvals_required=1).record["run_id"]
    approved = approve(application, waiting, login=BOB)
    assert approved.status == 0, approved.output
    other = application.deploy("003", login=BOB)
    assert other.status == 0, other.output
    assert other.record["interrupted_run"] is None
    gone_on = application.run("deploy.yml", "-e", f"run_id={waiting}", login=ANN)
    assert gone_on.status != 0
    record = record_of(application, waiting)
    assert (record["outcome"], record["reason_code"]) == ("refused", "production_changed_since_rehearsal")
    assert "Deploy again: ansible-playbook deploy.yml -e migration=002" in gone_on.output
    lost = application.run("deploy.yml", "-e", "run_id=20260101T000000Z-nobody-0000", login=ANN)
    assert lost.status != 0
    assert "There is no record of run 20260101T000000Z-nobody-0000" in lost.output


def somebody_waits_for(application: Application, table: str) -> bool:
    (database,) = application.databases
    with (
        contextlib.closing(application.server.connect(database)) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT FROM pg_locks WHERE NOT granted AND relation = %s::regclass", (table,))
        return bool(cursor.fetchall())


def test_two_people_resume_it(application: Application) -> None:
    """The second one neither ends the run of the first, nor writes into its record, nor takes anything back."""
    run_id = application.deploy("002", login=ANN, approvals_required=1).record["run_id"]
    assert approve(application, run_id, login=BOB).status == 0
    (database,) = application.databases
    with contextlib.closing(application.server.connect(database)) as reader, reader.cursor() as cursor:
        cursor.execute("SELECT FROM notes")
        first = application.start(
            "deploy.yml", "-e", f"run_id={run_id}", lock_timeout_seconds=120, lock_attempts=1
        )
        until(lambda: somebody_waits_for(application, "notes"))
        record = record_of(application, run_id)
        second = application.run("deploy.yml", "-e", f"run_id={run_id}", login=BOB)
        assert second.status != 0
        assert f"Run {run_id} is at work in another command" in second.output
        assert record_of(application, run_id) == record
        reader.rollback()
    gone_on = application.finish(first)
    assert gone_on.status == 0, gone_on.output
    assert record_of(application, run_id)["outcome"] == "deployed"
    assert second.record["outcome"] == "refused"
    assert second.record["run_id"] != run_id
