# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The application is asked how it is, over real HTTP; what is said of it has no secret in it."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.health import (
    ask_health,
    check_urls,
    health_of,
)

SECRET = "correct-horse"


class Application:
    """Answers with the statuses in ``answers``, and then with the last; 0 for nothing but a byte now and then."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.seen: list[tuple[str, str | None]] = []
        self.ends = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.seen.append((self.path, self.headers["Authorization"]))
                status = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                if status:
                    self.send_response(status, f"words of a server with {SECRET}")
                    if status == 302:
                        self.send_header("Location", f"file:///{SECRET}")
                    self.end_headers()
                    return
                with contextlib.suppress(OSError):
                    while not outer.ends.wait(0.05):
                        self.wfile.write(b"H")
                        self.wfile.flush()

            def log_message(self, *arguments: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.host = f"127.0.0.1:{self.http.server_address[1]}"
        self.url = f"http://{self.host}/health?token={SECRET}"


@pytest.fixture
def answering() -> Iterator[Any]:
    made: list[Application] = []

    def make(*answers: int) -> Application:
        made.append(Application(*answers))
        threading.Thread(target=made[-1].http.serve_forever, args=(0.02,), daemon=True).start()
        return made[-1]

    yield make
    for one in made:
        one.ends.set()
        one.http.shutdown()
        one.http.server_close()


def test_each_is_asked_until_it_answers_well(answering: Any) -> None:
    first, second = answering(204), answering(503, 503, 200)
    assert ask_health([first.url, second.url], 2, 0, 5) == {
        "asked": [
            {"host": first.host, "status": 204, "attempts": 1},
            {"host": second.host, "status": 200, "attempts": 3},
        ],
        "failure": "",
    }


def test_the_first_that_does_not_is_named_and_ends_it(answering: Any) -> None:
    ill, never = answering(503), answering(200)
    found = ask_health([ill.url, never.url], 1, 0, 5)
    assert found["failure"] == f"Entry 1 of health_urls (on {ill.host}), asked 2 times, answered 503."
    assert (len(ill.seen), never.seen) == (2, [])


def test_who_logs_in_by_the_address_does_and_is_not_named(answering: Any) -> None:
    application = answering(401)
    found = ask_health([application.url.replace("//", f"//probe:{SECRET}@")], 0, 0, 5)
    assert application.seen[-1][1] == "Basic " + base64.b64encode(f"probe:{SECRET}".encode()).decode()
    assert found["failure"] == f"Entry 1 of health_urls (on {application.host}), asked once, answered 401."
    assert SECRET not in str(found)


@pytest.mark.parametrize(
    ("answer", "why"),
    [(0, "did not answer: nothing came within 0.2 s."), (302, "answered 302.")],
)
def test_what_is_no_answer(answering: Any, answer: int, why: str) -> None:
    found = ask_health([answering(answer).url], 0, 0, 0.2)
    assert found["failure"].endswith(f"asked once, {why}")
    assert SECRET not in str(found)


def test_nobody_there_and_something_else_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/{SECRET}"
        assert ask_health([url], 0, 0, 5)["failure"].endswith("did not answer: Connection refused.")
        free.listen()
        thread = threading.Thread(target=lambda: free.accept()[0].sendall(b"220 mail\r\n"))
        thread.start()
        found = ask_health([url], 0, 0, 5)["failure"]
        thread.join()
    assert "did not answer: " in found
    assert SECRET not in found


@pytest.mark.parametrize(
    "url",
    [
        f"file:///{SECRET}",
        f"{SECRET}",
        "http://",
        f"http://host:{SECRET}",
        "http://a b/",
        "http://a/\n",
        ["http://a"],
        7,
    ],
)
def test_what_cannot_be_asked_is_refused_and_not_repeated(url: Any) -> None:
    with pytest.raises(Refused, match=r"^Entry 2 of health_urls is no address that can be asked") as refused:
        check_urls({"urls": ["https://app.example.com/health", url]})
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("value", [[], "", None, [""], ["https://app/", "http://[::1]:8080/x"]])
def test_none_and_good_ones_are_not(value: Any) -> None:
    check_urls({"urls": value})
    check_urls({})


def settings(urls: Any) -> dict[str, Any]:
    numbers = dict.fromkeys(("retries", "delay_seconds", "timeout_seconds"), "1")
    return {"urls": urls, **numbers}


def test_before_it_is_asked_it_is_let_in(answering: Any) -> None:
    application, order = answering(200), []
    assert health_of(settings([]), lambda: order.append("let in")) is None
    assert order == []
    found = health_of(settings(application.url), lambda: order.append(len(application.seen)))
    assert (order, found["failure"], len(application.seen)) == ([0], "", 1)
    found = health_of(settings([application.url]), lambda: "permission denied.")
    assert found["failure"].endswith("because maintenance_mode was not ended: permission denied.")
    assert len(application.seen) == 1
