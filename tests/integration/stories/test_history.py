# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The history is in the database: it is there also where a controller has lost what it wrote."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.integration.stories.application import Application


def test_all_runs_and_those_of_one_kind(application: Application) -> None:
    deploy = application.deploy("002").record["run_id"]
    rollback = application.run("emergency_rollback.yml", "-e", "to=001").record["run_id"]
    before = application.contents()
    shutil.rmtree(application.artifacts / deploy)
    run = application.run("playbooks/history.yml")
    assert run.status == 0, run.output
    (database,) = application.databases
    lines = [line.strip() for line in run.output.splitlines()]
    at = lines.index(f"{database}: 2 runs")
    assert "rolled_back in" in lines[at + 1]
    assert "emergency_rollback of 002, by " in lines[at + 1]
    assert "deployed in" in lines[at + 2]
    page = Path(lines[at + 3].removeprefix("Page: "))
    assert page == application.artifacts / f"history-{database}.html"
    text = page.read_text(encoding="utf-8")
    assert f'href="{rollback}/report.html"' in text
    assert deploy in text
    assert f'href="{deploy}' not in text
    assert application.contents() == before
    only = application.run("playbooks/history.yml", "-e", "history_outcome=deployed")
    assert f"{database}: 1 run\n" in only.output
    assert "rolled_back" not in only.output


def test_check_mode_writes_no_page(application: Application) -> None:
    run = application.run("playbooks/history.yml", "--check")
    assert run.status == 0, run.output
    assert not application.artifacts.exists()
