# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Announcements by mail, received by a real SMTP server; whether they are decides nothing."""

from __future__ import annotations

import contextlib
import email
import email.policy
import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from tests.integration.stories.application import Application
from tests.tls_server import Authority

PROGRAM = Path(__file__).resolve().parents[3] / "roles" / "announce" / "files" / "send_mail.py"
SECRET = "correct-horse-battery"
MAIL: dict[str, Any] = {
    "host": "127.0.0.1",
    "security": "none",
    "ca": "",
    "user": "",
    "password": "",
    "sender": "runbook@example.com",
    "to": ["dba@example.com", "b@example.com"],
    "subject": "deploy of 009 begins in midi",
    "text": "Zeile für Zeile",
    "run_id": "20261127T000000Z-x",
    "seconds": 20,
}


class Post:
    """Takes mail.

    Attributes:
        got: recipients and content of each.
        logins: what came as user and password.
    """

    def __init__(self) -> None:
        self.got: list[tuple[list[str], EmailMessage]] = []
        self.logins: list[tuple[str, str]] = []

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address.startswith("nobody@"):
            return "550 no such\tuser"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        made = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.got.append((list(envelope.rcpt_tos), made))
        return "250 OK"

    def authenticated(
        self, server: Any, session: Any, envelope: Any, mechanism: str, given: Any
    ) -> AuthResult:
        login = (given.login.decode(), given.password.decode())
        self.logins.append(login)
        return AuthResult(success=login == ("runbook", SECRET), handled=False)


@contextlib.contextmanager
def serving(**options: Any) -> Iterator[tuple[Post, int]]:
    """A server, and its port."""
    post = Post()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    if "tls_context" in options:
        options |= {"authenticator": post.authenticated, "require_starttls": True, "auth_required": True}
    controller = Controller(post, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield post, port
    finally:
        controller.stop()


def send(port: object, **changed: Any) -> tuple[int, str]:
    """Exit status, and what the program said."""
    order = json.dumps({**MAIL, "port": port, **changed})
    done = subprocess.run(
        [sys.executable, PROGRAM], input=order, capture_output=True, text=True, timeout=60, check=False
    )
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stdout + done.stderr
    return done.returncode, done.stderr.strip()


def test_one_mail_goes_to_all_whatever_its_text_holds() -> None:
    with serving() as (post, port):
        text = ".\nBcc: x@example.com\n" + "ü" * 2000
        assert send(port, subject="failed: a\r\nBcc: x@example.com", text=text) == (0, "")
        assert send(port, to="dba@example.com, b@example.com", sender="") == (0, "")
    (to, mail), (again, other) = post.got
    assert to == again == ["dba@example.com", "b@example.com"]
    assert (mail["Subject"], mail["Bcc"]) == ("failed: a Bcc: x@example.com", None)
    assert mail.get_content() == f"{text}\n".replace("\n", "\r\n") or mail.get_content() == f"{text}\n"
    assert mail["References"] == other["References"] == "<20261127T000000Z-x@pgops-runbook>"
    assert other["From"].startswith("pgops-runbook@")
    assert mail["Auto-Submitted"] == "auto-generated"


def test_who_does_not_get_it_is_named() -> None:
    with serving() as (post, port):
        status, said = send(port, to=["dba@example.com", "nobody@example.com"])
        assert (status, said) == (1, "the others got it, but not nobody@example.com: 550 no such user")
        assert send(port, to=["nobody@example.com"]) == (1, "nobody@example.com: 550 no such user")
    assert [to for to, _ in post.got] == [["dba@example.com"]]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("mail") / "authority")


def test_a_password_goes_through_tls_alone_to_a_server_that_is_known(authority: Authority) -> None:
    certificate, key = authority.sign("localhost")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    known = {"host": "localhost", "ca": str(authority.certificate), "user": "runbook", "password": SECRET}
    with serving(tls_context=context) as (post, port):
        assert send(port, **known, security="starttls") == (0, "")
        status, said = send(port, **{**known, "password": SECRET[:-1]}, security="starttls")
        assert (status, said[:20]) == (1, "the server did not a"), said
        assert "without TLS" in send(port, **known)[1]
        assert "CERTIFICATE_VERIFY_FAILED" in send(port, **{**known, "ca": ""}, security="starttls")[1]
        assert (
            "CERTIFICATE_VERIFY_FAILED"
            in send(port, **{**known, "host": "127.0.0.1"}, security="starttls")[1]
        )
        assert send(port)[0] == 1, "the server asks for TLS"
    assert {*post.logins} == {("runbook", SECRET), ("runbook", SECRET[:-1])}
    assert len(post.got) == 1
    with serving(ssl_context=context) as (post, port):
        assert send(port, host="localhost", ca=str(authority.certificate), security="tls") == (0, "")


@pytest.mark.parametrize(
    "changed",
    [
        {"port": 1},
        {"port": "soon"},
        {"host": "nowhere.invalid"},
        {"security": "yes"},
        {"security": "tls", "ca": "/nowhere"},
        {"to": []},
        {"to": ["no address\n@"]},
        {"to": 5},
        {"seconds": "soon"},
    ],
    ids=str,
)
def test_what_cannot_be_is_said_in_one_line(changed: dict[str, Any]) -> None:
    with serving() as (post, port):
        status, said = send(**{"port": port, **changed})
    assert (status, len(said.splitlines()), post.got) == (1, 1, []), said


def test_a_server_that_keeps_us_waiting_does_not_keep_a_run(tmp_path: Path) -> None:
    """It takes the connection, and sends a byte now and then."""
    ends = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as slow:

        def answer() -> None:
            connection, _ = slow.accept()
            with connection, contextlib.suppress(OSError):
                while not ends.wait(0.1):
                    connection.sendall(b"2")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        assert send(slow.getsockname()[1], seconds=1) == (1, "it had not been taken after 1 s")
        ends.set()
        thread.join()


def test_a_run_is_announced_and_goes_on_where_nobody_takes_it(application: Application) -> None:
    (database,) = application.databases
    with serving() as (post, port):
        application.variables.update(
            announce_mail_to=["dba@example.com"], announce_mail_host="127.0.0.1", announce_mail_port=port
        )
        run = application.deploy("002", "-e", f"announce_timeout_seconds=30 announce_mail_port={port}")
        assert (run.status, run.record["unannounced"]) == (0, []), run.output
    (_, begin), (_, end) = post.got
    assert (begin["Subject"], end["Subject"]) == (
        f"deploy of 002 begins in {database}",
        f"deployed: deploy of 002 in {database}",
    )
    assert end.get_content().strip() == f"deployed: deploy of 002 in {database} (run {run.record['run_id']})"
    application.variables.update(announce_mail_user="runbook", announce_mail_password=SECRET)
    run = application.run("emergency_rollback.yml", "-e", "migration=002", "-vvv")
    assert (run.status, run.record["outcome"]) == (0, "rolled_back"), run.output
    assert [one["event"] for one in run.record["unannounced"]] == ["end"]
    assert run.record["unannounced"][0]["reason"].startswith("the mail: a password is not sent without TLS")
    assert SECRET not in run.output + json.dumps(run.record)
