# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Announcements by a webhook, received by a real HTTP server; whether they are decides nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.integration.stories.application import Application
from tests.web_server import NEVER, WebServer, in_turn, serving

SECRET = "T0000-correct-horse"


@pytest.fixture
def hook(application: Application) -> Iterator[WebServer]:
    with serving(in_turn(200)) as server:
        application.variables.update(announce_webhook_url=f"http://{server.host}/hook/{SECRET}")
        yield server


def test_a_run_is_announced_with_all_its_facts(application: Application, hook: WebServer) -> None:
    # As `-e name=value` gives them, numbers are texts.
    run = application.deploy(
        "002", "-e", "announce_timeout_seconds=30", announce_metrics_dir=str(application.folder)
    )
    (metrics,) = application.folder.glob("pgops_runbook_deploy-*.prom")
    assert f'run_id="{run.record["run_id"]}"' in metrics.read_text(encoding="utf-8")
    assert run.status == 0, run.output
    assert [one.path for one in hook.got] == [f"/hook/{SECRET}"] * 2
    begin, end = (one.content for one in hook.got)
    assert (begin["event"], begin["run"]["migration"]) == ("begin", "002")
    (database,) = application.databases
    assert begin["text"] == f"deploy of 002 begins in {database} (run {run.record['run_id']})"
    assert (end["event"], end["run"]) == ("end", {**run.record, "unannounced": []})
    assert end["text"] == f"deployed: deploy of 002 in {database} (run {run.record['run_id']})"
    assert SECRET not in run.output + json.dumps(run.record)
    assert SECRET not in application.deploy("003", "-vvv").output


@pytest.mark.parametrize("form", ["slack", "teams"])
def test_a_refusal_in_the_form_of_a_messenger(application: Application, hook: WebServer, form: str) -> None:
    template = application.folder / "text.j2"
    template.write_text(
        "{{ announce_event }}: {{ announce_of.outcome | default('-') | upper }}!\n", encoding="utf-8"
    )
    application.variables.update(announce_webhook_format=form, announce_template=str(template))
    assert application.deploy("004").status != 0
    body = hook.got[-1].content
    if form == "teams":
        (card,) = body["attachments"]
        assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
        body = card["content"]["body"][0]
    assert body["text"] == "end: REFUSED!"


@pytest.mark.parametrize("answer", [404, NEVER], ids=["not found", "a byte now and then"])
def test_that_nobody_could_be_told_stops_nothing(
    application: Application, hook: WebServer, answer: int
) -> None:
    hook.answer = in_turn(answer)
    application.variables.update(announce_timeout_seconds=1)
    run = application.deploy("002")
    assert (run.status, run.record["outcome"]) == (0, "deployed"), run.output
    assert [one["event"] for one in run.record["unannounced"]] == ["begin", "end"]
    assert all(one["reason"].startswith("the webhook: ") for one in run.record["unannounced"])
    assert SECRET not in run.output + json.dumps(run.record)


def test_a_template_that_is_wrong_stops_nothing(application: Application, hook: WebServer) -> None:
    template = application.folder / "text.j2"
    template.write_text("{{ announce_of.nothing.at.all }}", encoding="utf-8")
    application.variables.update(announce_template=str(template))
    run = application.deploy("002")
    assert (run.status, run.record["outcome"], hook.got) == (0, "deployed", []), run.output
    assert SECRET not in run.output + json.dumps(run.record)


WRONG = {"announce_webhook_format": "smoke", "announce_timeout_seconds": "soon"}


@pytest.mark.parametrize("name", sorted(WRONG))
def test_a_wrong_value_is_refused_before_anything_is_touched(
    application: Application, hook: WebServer, name: str
) -> None:
    before = application.contents(ledger=False)
    application.variables[name] = WRONG[name]
    run = application.deploy("002")
    assert (run.record["outcome"], bool(run.record["ended"])) == ("refused", True), run.output
    assert name in run.record["reason"]
    assert application.contents(ledger=False) == before


def test_a_rollback_is_held_up_by_none_and_ends(application: Application, hook: WebServer) -> None:
    assert application.deploy("002").status == 0
    application.variables.update(WRONG)
    run = application.run("emergency_rollback.yml", "-e", "migration=002")
    assert (run.status, run.record["outcome"], bool(run.record["ended"])) == (0, "rolled_back", True), (
        run.output
    )
    assert [one["event"] for one in run.record["unannounced"]] == ["end"]


def test_nobody_is_there(application: Application, hook: WebServer) -> None:
    application.variables.update(announce_webhook_url="http://127.0.0.1:1/hook")
    run = application.deploy("002")
    assert run.record["outcome"] == "deployed"
    assert "refused" in run.record["unannounced"][0]["reason"].lower()


def test_check_mode_tells_nobody_and_shows_what_would_be_done(
    application: Application, hook: WebServer
) -> None:
    before = application.contents()
    run = application.deploy("002", "--check", "--diff")
    assert hook.got == []
    assert run.status == 0, run.output
    assert "nobody was told" not in run.output, "who looks what would be done tells nobody"
    assert "✗" not in run.output
    assert "statements of migration 002: migrations/002_" in run.output
    assert "+-- line " in run.output
    assert application.contents() == before
