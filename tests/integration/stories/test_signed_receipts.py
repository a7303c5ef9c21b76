# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller signs receipts with a key that goes nowhere else."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

from tests.integration.production.there_and_back import back
from tests.integration.step_runs import StepRuns
from tests.integration.stories.application import Application

KEY = "a-key-that-is-nowhere-else"
FROM_THE_ENVIRONMENT = "{{ lookup('ansible.builtin.env', 'RECEIPT_KEY') }}"

# Whatever processes there are meanwhile, by their arguments; the key is in the environment of the controller's.
WATCH = """
import pathlib, sys, time
found = set()
while not pathlib.Path(sys.argv[1]).exists():
    for path in pathlib.Path('/proc').glob('[0-9]*/cmdline'):
        try:
            if sys.argv[2][::-1].encode() in path.read_bytes():
                found.add(path.parent.name)
        except OSError:
            continue
    time.sleep(0.01)
print(sorted(found))
"""


def execute(application: Application, statement: str) -> list[tuple]:
    with (
        contextlib.closing(application.server.connect(application.databases[0])) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_a_deploy_is_signed_and_the_key_stays_on_the_controller(application: Application) -> None:
    application.variables["receipt_key"] = FROM_THE_ENVIRONMENT
    env = {"RECEIPT_KEY": KEY}
    ended = Path(application.folder, "ended")
    watching = subprocess.Popen(
        [sys.executable, "-c", WATCH, str(ended), KEY[::-1]], stdout=subprocess.PIPE, text=True
    )
    try:
        run = application.run("deploy.yml", "-vvv", "-e", "migration=002", env=env)
    finally:
        ended.touch()
        processes, _ = watching.communicate(timeout=60)
    assert run.status == 0, run.output
    assert processes == "[]\n"
    assert KEY not in run.output
    files = [path for path in application.folder.rglob("*") if path.is_file()]
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    ((written, signed),) = execute(application, "SELECT count(*), count(signature) FROM runbook.receipt")
    assert written == signed > 7

    status = application.run("playbooks/status.yml", env=env)
    assert f"Receipts: {written}, the chain is whole and signed" in status.output

    # Whoever may write the table makes the chain anew, as the runbook itself would, and cannot sign it.
    execute(application, "UPDATE runbook.receipt SET signature = repeat('0', 64) WHERE position = 3")
    execute(application, "UPDATE runbook.receipt SET signature = NULL WHERE position = 5")
    record = application.artifacts / "latest" / "run.json"
    record.write_text(record.read_text().replace('"deployed"', '"rolled_back"'))
    status = application.run("playbooks/status.yml", env=env)
    assert "NOT SIGNED: receipt 3 (" in status.output
    assert "NOT SIGNED: receipt 5 (" in status.output
    assert "run.json is not as the run left it" in status.output.replace("\n", " ")
    # Or takes away all signatures, as if there had never been a key.
    execute(application, "UPDATE runbook.receipt SET signature = NULL")
    status = application.run("playbooks/status.yml", env=env)
    said = " ".join(status.output.split())
    assert f"the chain is whole; {written} have no signature (runs {run.record['run_id']})" in said
    assert f"rollback proven by run {run.record['run_id']} (" in said
    assert "rows compared), whose receipts are not signed" in said


def test_what_is_adopted_and_what_is_put_back_by_hand_is_signed(runs: StepRuns) -> None:
    runs.up_to("apply")
    runs.conclude()
    runs.execute("INSERT INTO notes (body, author) VALUES ('four', 'ann'), ('five', 'bob')")
    back(runs)
    written = runs.ask("SELECT count(*) FROM runbook.receipt")[0][0]
    runs.execute("ALTER TABLE notes ADD COLUMN author text")
    application = Application(runs.server, runs.folder, runs.sql_dir, [runs.database])
    application.variables["receipt_key"] = KEY

    status = application.run("playbooks/status.yml", "-e", "adopt=true")
    assert status.status == 0, status.output
    assert "NOT SIGNED" not in status.output
    assert f"the chain is whole; {written} have no signature" in " ".join(status.output.split())
    restored = application.run(
        "playbooks/salvage.yml", "-e", "salvage_action=put_back", "-e", "salvage_item=1"
    )
    assert restored.status == 0, restored.output
    steps = f"SELECT step, signature IS NOT NULL FROM runbook.receipt WHERE position > {written} ORDER BY position"
    assert execute(application, steps) == [
        ("adopt", True),
        ("salvage_restore", True),
    ]
    status = application.run("playbooks/status.yml")
    assert "NOT SIGNED" not in status.output
