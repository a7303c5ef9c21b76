# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Announcements by a webhook, received by a real HTTP server; whether they are decides nothing."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.integration.stories.application import Application

SECRET = "T0000-correct-horse"


class Server:
    """Takes what is posted to it.

    Attributes:
        got: (path, content) of each request.
        answer: the status with which the next are answered; -1 for a byte now and then.
    """

    def __init__(self) -> None:
        self.got: list[tuple[str, Any]] = []
        self.answer = 200
        self.ends = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((self.path, json.loads(body)))
                if outer.answer > 0:
                    self.send_response(outer.answer)
                    self.end_headers()
                    return
                with contextlib.suppress(OSError):
                    while not outer.ends.wait(0.2):
                        self.wfile.write(b"H")
                        self.wfile.flush()

            def log_message(self, *arguments: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/hook/{SECRET}"


@pytest.fixture
def hook(application: Application) -> Iterator[Server]:
    made = Server()
    application.variables.update(announce_webhook_url=made.url)
    thread = threading.Thread(target=made.http.serve_forever, daemon=True)
    thread.start()
    yield made
    made.ends.set()
    made.http.shutdown()
    made.http.server_close()
    thread.join()


def test_a_run_is_announced_with_all_its_facts(application: Application, hook: Server) -> None:
    # As `-e name=value` gives them, numbers are texts.
    run = application.deploy(
        "002", "-e", "announce_timeout_seconds=30", announce_metrics_dir=str(application.folder)
    )
    (metrics,) = application.folder.glob("pgops_runbook_deploy-*.prom")
    assert f'run_id="{run.record["run_id"]}"' in metrics.read_text(encoding="utf-8")
    assert run.status == 0, run.output
    (path, begin), (_, end) = hook.got
    assert path == f"/hook/{SECRET}"
    assert (begin["event"], begin["run"]["migration"]) == ("begin", "002")
    (database,) = application.databases
    assert begin["text"] == f"deploy of 002 begins in {database} (run {run.record['run_id']})"
    assert (end["event"], end["run"]) == ("end", {**run.record, "unannounced": []})
    assert end["text"] == f"deployed: deploy of 002 in {database} (run {run.record['run_id']})"
    assert SECRET not in run.output + json.dumps(run.record)
    assert SECRET not in application.deploy("003", "-vvv").output


@pytest.mark.parametrize("form", ["slack", "teams"])
def test_a_refusal_in_the_form_of_a_messenger(application: Application, hook: Server, form: str) -> None:
    template = application.folder / "text.j2"
    template.write_text(
        "{{ announce_event }}: {{ announce_of.outcome | default('-') | upper }}!\n", encoding="utf-8"
    )
    application.variables.update(announce_webhook_format=form, announce_template=str(template))
    assert application.deploy("004").status != 0
    (_, body) = hook.got[-1]
    if form == "teams":
        (card,) = body["attachments"]
        assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
        body = card["content"]["body"][0]
    assert body["text"] == "end: REFUSED!"


@pytest.mark.parametrize("answer", [404, -1], ids=["not found", "a byte now and then"])
def test_that_nobody_could_be_told_stops_nothing(application: Application, hook: Server, answer: int) -> None:
    hook.answer = answer
    application.variables.update(announce_timeout_seconds=1)
    run = application.deploy("002")
    assert (run.status, run.record["outcome"]) == (0, "deployed"), run.output
    assert [one["event"] for one in run.record["unannounced"]] == ["begin", "end"]
    assert all(one["reason"].startswith("the webhook: ") for one in run.record["unannounced"])
    assert SECRET not in run.output + json.dumps(run.record)


def test_a_template_that_is_wrong_stops_nothing(application: Application, hook: Server) -> None:
    template = application.folder / "text.j2"
    template.write_text("{{ announce_of.nothing.at.all }}", encoding="utf-8")
    application.variables.update(announce_template=str(template))
    run = application.deploy("002")
    assert (run.status, run.record["outcome"], hook.got) == (0, "deployed", []), run.output
    assert SECRET not in run.output + json.dumps(run.record)


WRONG = {"announce_webhook_format": "smoke", "announce_timeout_seconds": "soon"}


@pytest.mark.parametrize("name", sorted(WRONG))
def test_a_wrong_value_is_refused_before_anything_is_touched(
    application: Application, hook: Server, name: str
) -> None:
    before = application.contents(ledger=False)
    application.variables[name] = WRONG[name]
    run = application.deploy("002")
    assert (run.record["outcome"], bool(run.record["ended"])) == ("refused", True), run.output
    assert name in run.record["reason"]
    assert application.contents(ledger=False) == before


def test_a_rollback_is_held_up_by_none_and_ends(application: Application, hook: Server) -> None:
    assert application.deploy("002").status == 0
    application.variables.update(WRONG)
    run = application.run("emergency_rollback.yml", "-e", "migration=002")
    assert (run.status, run.record["outcome"], bool(run.record["ended"])) == (0, "rolled_back", True), (
        run.output
    )
    assert [one["event"] for one in run.record["unannounced"]] == ["end"]


def test_nobody_is_there(application: Application, hook: Server) -> None:
    application.variables.update(announce_webhook_url="http://127.0.0.1:1/hook")
    run = application.deploy("002")
    assert run.record["outcome"] == "deployed"
    assert "refused" in run.record["unannounced"][0]["reason"].lower()


def test_check_mode_tells_nobody_and_shows_what_would_be_done(application: Application, hook: Server) -> None:
    before = application.contents()
    run = application.deploy("002", "--check", "--diff")
    assert hook.got == []
    assert run.status == 0, run.output
    assert "statements of migration 002: migrations/002_" in run.output
    assert "+-- line " in run.output
    assert application.contents() == before
