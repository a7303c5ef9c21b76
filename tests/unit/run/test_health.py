# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The application is asked how it is, over real HTTP; what is said of it has no secret in it."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.health import (
    ask_health,
    check_urls,
    health_of,
)

from tests.web_server import NEVER, Answer, Request, WebServer, in_turn, serving

SECRET = "correct-horse"


class Application:
    """Answers with one status after the other, and then with the last; ``seen`` are those who asked."""

    def __init__(self, server: WebServer) -> None:
        self.server, self.host = server, server.host
        self.url = f"http://{self.host}/health?token={SECRET}"

    @property
    def seen(self) -> list[tuple[str, str | None]]:
        return [(one.path, one.headers["Authorization"]) for one in self.server.got]


def says(*statuses: int) -> Callable[[Request], Answer]:
    """Answers whose words are nobody's business."""
    status_of = in_turn(*statuses)

    def answer(request: Request) -> Answer:
        status = status_of(request)
        headers = {"Location": f"file:///{SECRET}"} if status == 302 else {}
        return Answer(status, f"words of a server with {SECRET}", headers)

    return answer


@pytest.fixture
def answering() -> Iterator[Any]:
    with contextlib.ExitStack() as stack:
        yield lambda *statuses: Application(stack.enter_context(serving(says(*statuses))))


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
    [(NEVER, "did not answer: nothing came within 0.2 s."), (302, "answered 302.")],
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
