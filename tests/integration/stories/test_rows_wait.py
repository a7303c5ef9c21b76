# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A conflict from the command line: what a deploy cannot put back is said in front, until somebody settles it."""

from __future__ import annotations

import contextlib

from tests.integration.stories.application import Application, Run


def execute(application: Application, statement: str) -> None:
    with (
        contextlib.closing(application.server.connect(application.databases[0])) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def said(run: Run) -> str:
    """The output without the way in which it was wrapped."""
    assert "Traceback" not in run.output
    return " ".join(run.output.split())


def rolled_back(application: Application, *arguments: str) -> Run:
    run = application.run("emergency_rollback.yml", "-e", "migration=002", *arguments)
    assert run.status == 0, run.output
    return run


def test_rows_that_wait_are_seen_until_they_are_settled(application: Application) -> None:
    (database,) = application.databases
    assert application.deploy("002").status == 0
    execute(application, "UPDATE notes SET author = 'ada'")
    promise = "the next deploy of 002 puts back what it can, and says what waits"
    assert promise in said(rolled_back(application))
    # Somebody deletes on the old schema what somebody else has written to on the new one.
    execute(application, "DELETE FROM notes WHERE id <= 3")

    run = application.deploy("002")
    assert run.status == 0, run.output
    assert f"deployed, and 3 rows wait: 002 on {database}" in said(run)
    assert "Next: ansible-playbook playbooks/salvage.yml" in said(run)
    assert (run.record["outcome"], run.record["rows_waiting"]) == ("deployed", 3)
    assert (run.record["reason"], run.record["reason_code"]) == (None, None)

    # Other runs do not make them forgotten.
    assert application.deploy("003").status == 0
    status = application.run("playbooks/status.yml")
    assert "NOT SETTLED: 3 rows wait that a rollback of 002 had kept" in said(status)

    # As an error, for those whose pipeline should stop.
    said_by_rollback = said(rolled_back(application, "-e", "restore_salvage=false"))
    assert "NOT SETTLED" not in said(application.run("playbooks/status.yml"))
    assert promise not in said_by_rollback
    assert "no deploy puts them back, because restore_salvage is false" in said_by_rollback
    run = application.deploy("002", "-e", "fail_on_held_back=true")
    assert run.status != 0
    assert (run.record["outcome"], run.record["reason_code"]) == ("deployed", "rows_held_back")
    assert run.record["rows_waiting"] == 3
    assert all(step["status"] == "ok" for step in run.record["steps"])
    assert "State: Production has the migration." in said(run)
    assert "deployed: The migration is deployed, and 3 rows wait that a rollback had kept" in said(run)
    status = said(application.run("playbooks/status.yml"))
    assert "002_author applied" in status
    assert "deployed (The migration is deployed, and 3 rows wait" in status

    settled = ["-e", "salvage_action=purge", "-e", "salvage_older_than_days=0"]
    refused = said(application.run("playbooks/salvage.yml", *settled))
    confirm = refused.partition("salvage_confirm=")[2].split()[0].strip(".,'\"")
    run = application.run("playbooks/salvage.yml", *settled, "-e", f"salvage_confirm={confirm}")
    assert run.status == 0, run.output
    assert "NOT SETTLED" not in said(application.run("playbooks/status.yml"))
