# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A migration that releases all advisory locks does not let another run in."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.ledger import RUN_LOCK
from ansible_collections.pgops.runbook.plugins.module_utils.step import waiting

from tests.integration.restore_runs import wait_for
from tests.integration.step_runs import StepRuns

HOLDS = (
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND"
    f" (classid::bigint << 32) + objid::bigint = {RUN_LOCK}"
)
WAITS = "SELECT FROM pg_locks WHERE NOT granted AND relation = 'notes'::regclass"


@pytest.mark.parametrize("step", ["apply", "emergency_rollback"])
def test_no_other_run_gets_in(runs: StepRuns, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LOCK_WAIT_SECONDS", 0.5)
    releases = "SELECT pg_advisory_unlock_all();"
    runs.write(
        migrations__002_author=f"{releases}\nALTER TABLE notes ADD COLUMN author text;",
        rollback__002_author_rollback=f"{releases}\nALTER TABLE notes DROP COLUMN author;",
    )
    if step == "apply":
        working = runs
        working.up_to("rehearse")
    else:
        working = runs.deploy().another("emergency_rollback").up_to_rollback()
    with runs.server.connect(runs.database) as reader, reader.cursor() as cursor:
        cursor.execute("SELECT FROM notes")
        process = working.start(step, lock_timeout_seconds=60)
        wait_for(lambda: runs.ask(WAITS))
        held = runs.ask(HOLDS)
        answer = runs.another(working.playbook).step("preflight", take_over=working.run_id)
    reader.close()
    assert process.wait() == 0
    process.stdout.close()
    assert held == [(1,)]
    assert answer["reason_code"] == "another_run_in_progress", answer
