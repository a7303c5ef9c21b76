# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A drill by its command: production is as it was, the record says what was proven, and a deploy may ask for it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.stories.application import Application


def test_a_drill_of_what_is_pending(application: Application) -> None:
    asking = ("-e", "drill_max_age_days=30", "--check")
    refused = application.run("deploy.yml", "-e", "migration=002", *asking)
    assert refused.status != 0
    assert "ansible-playbook playbooks/drill.yml" in refused.output
    before = application.contents(ledger=False)
    run = application.run("playbooks/drill.yml", "-e", "migration=002", "-e", "drill_rows=3")
    assert run.status == 0, run.output
    assert (run.record["outcome"], run.record["migrations"]) == ("drilled", ["002"])
    assert run.record["proof"]["schema_restored"] is True
    of = {one["phase"]: one for one in run.record["drill"]["phases"]}
    assert (of["writes"]["new"], of["rollback"]["kept_rows"]) == (3, of["deploy_again"]["put_back"])
    assert "Emergency rollback: " in run.output
    assert "Production was only read" in run.output
    page = Path(application.artifacts / "latest" / "report.html").read_text(encoding="utf-8")
    assert "Deploy again" in page
    # No run of the drill has artifacts, backups or databases of its own, and none was announced.
    assert [one.name for one in application.artifacts.iterdir() if one.is_dir() and not one.is_symlink()] == [
        run.record["run_id"]
    ]
    assert application.contents(ledger=False) == before
    assert application.run("deploy.yml", "-e", "migration=002", *asking).status == 0
    history = application.run("playbooks/history.yml")
    assert "drill of 002, by " in history.output
    assert json.loads((application.artifacts / "latest" / "run.json").read_text())["outcome"] == "drilled"
