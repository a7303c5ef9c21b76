# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A server that says that it starts or recovers is waited for, whatever its language; others are refused at once."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.activity import doing
from ansible_collections.pgops.runbook.plugins.module_utils.postgres import connection as connections
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import (
    ServerUnreachable,
    connect,
)
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.maintenance import connect_to_closed
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.not_yet import says_not_yet

from demo.local_server import LocalServer
from tests.crashing import Crash
from tests.integration.step_runs import target
from tests.own_server import own_server

SSL, GSS = 80877103, 80877104

GERMAN = {"S": "FATAL", "C": "57P03", "M": "das Datenbanksystem startet"}
STANDBY = {
    "S": "FATAL",
    "C": "57P03",
    "M": "die Datenbank nimmt nichts an",
    "D": "Hot standby mode is disabled.",
}
FULL = {"S": "FATAL", "C": "53300", "M": "tut mir leid, schon zu viele Verbindungen"}


class Gate:
    """In front of a server: answers with an error for some time, then lets everybody through.

    Args:
        server: the real one.
        answer: fields of the error.
        seconds: for how long.
    """

    def __init__(self, server: LocalServer, answer: dict[str, str], seconds: float) -> None:
        self.server = server
        self.answer = answer
        self.until = time.monotonic() + seconds
        self.tries = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._receive, args=(client,), daemon=True).start()

    def _receive(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, struct.error), client:
            while True:
                head = client.recv(8, socket.MSG_WAITALL)
                length, code = struct.unpack("!II", head)
                rest = client.recv(length - 8, socket.MSG_WAITALL) if length > 8 else b""
                if code not in (SSL, GSS):
                    break
                client.sendall(b"N")
            if time.monotonic() < self.until:
                self.tries += 1
                body = b"".join(f"{key}{text}\0".encode() for key, text in self.answer.items()) + b"\0"
                client.sendall(b"E" + struct.pack("!I", len(body) + 4) + body)
                return
            with socket.socket(socket.AF_UNIX) as real:
                real.connect(f"{self.server.host}/.s.PGSQL.{self.server.port}")
                real.sendall(head + rest)
                back = threading.Thread(target=self._pass_on, args=(real, client), daemon=True)
                back.start()
                self._pass_on(client, real)
                back.join()

    @staticmethod
    def _pass_on(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def gate(
    server: LocalServer, answer: dict[str, str], seconds: float
) -> Iterator[tuple[Gate, dict[str, Any]]]:
    made = Gate(server, answer, seconds)
    try:
        yield made, {**target(server, "postgres"), "login_host": "127.0.0.1", "login_port": made.port}
    finally:
        made.close()


def test_it_is_waited_for_in_any_language_and_that_is_told(server: LocalServer) -> None:
    told: list[dict[str, Any]] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.05):
            told.append(doing())

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        with gate(server, GERMAN, 1.5) as (seen, through), contextlib.closing(connect(through)) as connection:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
                assert cursor.fetchone() == (1,)
            assert seen.tries >= 2
    finally:
        ended.set()
        watching.join()
    assert "the server, which says: das Datenbanksystem startet" in [one.get("waits_for") for one in told]
    assert "waits_for" not in doing()


@pytest.mark.parametrize(("answer", "tries"), [(STANDBY, 1), (FULL, 2)])
def test_a_server_that_will_not_let_us_in_is_not_waited_for(
    server: LocalServer, answer: dict[str, str], tries: int
) -> None:
    with gate(server, answer, 30) as (seen, through), pytest.raises(ServerUnreachable) as refused:
        connect(through)
    assert seen.tries == tries, "asked once more where its words are not known"
    assert "waited" not in refused.value.details


def test_a_server_whose_connections_are_all_taken_is_waited_for(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others end theirs; until then a failed deploy could not be taken back, nor its application let in again."""
    crowded = {"S": "FATAL", "C": "53300", "M": "sorry, too many clients already"}
    with gate(server, crowded, 1) as (seen, through):
        connect(through).close()
        assert seen.tries >= 2
    monkeypatch.setattr(connections, "PATIENCE_SECONDS", 0.8)
    with gate(server, crowded, 30) as (_, through):
        with pytest.raises(
            ServerUnreachable, match=r"That was so for 1 s\. End sessions that nobody needs"
        ) as refused:
            connect(through)
        assert "db_password" not in refused.value.reason


def test_nobody_is_waited_for_who_is_not_there(tmp_path: Path) -> None:
    for place in ({"login_host": str(tmp_path)}, {"login_host": "127.0.0.1", "login_port": 1}):
        with pytest.raises(ServerUnreachable) as refused:
            connect({"login_db": "x", "login_port": 5432, **place})
        assert "waited" not in refused.value.details


def test_the_wait_has_an_end_and_says_what_to_do(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "PATIENCE_SECONDS", 0.8)
    with gate(server, GERMAN, 30) as (seen, through):
        with pytest.raises(ServerUnreachable) as refused:
            connect(through)
        assert "das Datenbanksystem startet. It was waited for, for 1 s" in refused.value.reason
        assert "type the same command again" in refused.value.reason
        tries = seen.tries
        with pytest.raises(ServerUnreachable):
            connect_to_closed(through, refused.value)
        assert seen.tries == tries, "no other database of it is tried"
        with pytest.raises(ServerUnreachable):
            connect(through, patience=0)
        assert seen.tries == tries + 1


@pytest.mark.parametrize(
    ("said", "waits"),
    [
        ("FATAL:  the database system is in recovery mode", True),
        (
            "FATAL:  the database system is not yet accepting connections\nDETAIL:  Consistent recovery state ...",
            True,
        ),
        (
            "FATAL:  the database system is not accepting connections\nDETAIL:  Hot standby mode is disabled.",
            False,
        ),
        ('FATAL:  password authentication failed for user "x"', False),
        ("connection to server at 127.0.0.1 failed: Connection refused", False),
    ],
)
def test_known_words_are_believed(said: str, waits: bool) -> None:
    def nobody_is_asked(**_: object) -> None:
        raise AssertionError

    assert (says_not_yet(said, {}, nobody_is_asked) is not None) is waits


def test_a_server_that_recovers_from_a_crash(tmp_path: Path) -> None:
    with own_server(tmp_path / "server") as server:
        crash = Crash(server, 2)
        victim = server.connect()
        crash.of(victim.info.backend_pid)
        with pytest.raises(psycopg2.OperationalError, match="the database system is"):
            server.connect()
        connect(target(server, "postgres")).close()
        victim.close()
