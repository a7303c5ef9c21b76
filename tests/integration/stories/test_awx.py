# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Jobs as AWX starts them: every question of a survey is answered, most as it stands, in a file of extra variables."""

from __future__ import annotations

import json
from typing import Any

import pytest

from docs.awx import TEMPLATES, survey
from tests.integration.stories.application import Application, Run

BY_NAME = {one.name.removeprefix("pgops runbook: "): one for one in TEMPLATES}


def launch(application: Application, template: str, **answers: str) -> Run:
    """Start the job; AWX hands the answers over in a file."""
    questions = survey(BY_NAME[template])
    assert set(answers) <= {one["variable"] for one in questions}
    content: dict[str, Any] = {one["variable"]: one["default"] for one in questions} | answers
    if not BY_NAME[template].on_databases:
        # The inventory's variables are those of databases.
        content |= {"sql_dir": str(application.sql_dir), "artifacts_dir": str(application.artifacts)}
    path = application.folder / f"{template}.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return application.run(BY_NAME[template].playbook, "-e", f"@{path}")


def test_a_night_by_surveys(application: Application) -> None:
    rehearsal = launch(application, "rehearse", migration="002")
    assert rehearsal.record["outcome"] == "rehearsed", rehearsal.output
    deploy = launch(application, "deploy", migration="002")
    deployed = deploy.record
    assert deployed["outcome"] == "deployed", deploy.output
    assert deployed["consents"] == {}
    assert launch(application, "status").status == 0
    rollback = launch(application, "emergency rollback", migration="002")
    assert rollback.record["outcome"] == "rolled_back", rollback.output
    restored = launch(application, "restore", run_id=deployed["run_id"])
    assert restored.record["outcome"] == "restored", restored.output
    history = launch(application, "history")
    assert ": 3 runs" in history.output, history.output


def test_a_consent_that_is_given_is_one(application: Application) -> None:
    record = launch(application, "deploy", migration="003", accept_drift="true").record
    assert record["outcome"] == "deployed"
    assert record["consents"] == {"accept_drift": "true"}


@pytest.mark.parametrize("template", ["salvage", "cleanup", "check"])
def test_one_that_is_launched_as_it_stands(application: Application, template: str) -> None:
    run = launch(application, template)
    # The scripts of this application are unsound.
    assert run.status == (2 if template == "check" else 0), run.output


def test_a_drill(application: Application) -> None:
    run = launch(application, "drill", migration="002")
    assert run.record["outcome"] == "drilled", run.output
