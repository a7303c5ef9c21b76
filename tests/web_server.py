# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""An HTTP server that answers as it is told: an application that is asked, or whoever is told of a run."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["NEVER", "Answer", "Request", "WebServer", "in_turn", "serving"]

#: Of an answer whose end nobody lives to see: a byte comes now and then.
NEVER = 0

# Between two of these bytes.
BYTE_SECONDS = 0.05


@dataclass(frozen=True)
class Request:
    """What somebody has asked for."""

    method: str
    path: str
    headers: Message
    body: bytes

    @property
    def content(self) -> Any:
        """The body, which is JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What the server says.

    Attributes:
        status: or NEVER.
        reason: the words beside the status; None for the usual ones.
    """

    status: int = 200
    reason: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class WebServer:
    """A server on a port of 127.0.0.1.

    Args:
        answer: what is said to a request; a number is a status without a body.

    Attributes:
        answer: the same, for requests that come later.
        got: the requests, oldest first.
        host: name and port.
    """

    def __init__(self, answer: Callable[[Request], Answer | int]) -> None:
        self.answer, self.got = answer, list[Request]()
        self.ends = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                request = Request(self.command, self.path, self.headers, body)
                outer.got.append(request)
                answer = outer.answer(request)
                self._say(Answer(answer) if isinstance(answer, int) else answer)

            do_POST = do_PUT = do_GET

            def _say(self, answer: Answer) -> None:
                if answer.status == NEVER:
                    with contextlib.suppress(OSError):
                        while not outer.ends.wait(BYTE_SECONDS):
                            self.wfile.write(b"H")
                            self.wfile.flush()
                    return
                self.send_response(answer.status, answer.reason)
                for name, value in {**answer.headers, "Content-Length": str(len(answer.body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *arguments: object) -> None:
                """Not on the screen."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.host = f"127.0.0.1:{self.http.server_port}"


@contextlib.contextmanager
def serving(answer: Callable[[Request], Answer | int]) -> Iterator[WebServer]:
    """A server while it is needed; see WebServer."""
    server = WebServer(answer)
    thread = threading.Thread(target=server.http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.ends.set()
        server.http.shutdown()
        server.http.server_close()
        thread.join()


def in_turn(*statuses: int) -> Callable[[Request], int]:
    """Answers with one status after the other; the last one stays."""
    left = list(statuses)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]
