# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Send one announcement by mail; all about it comes as JSON on standard input, so that no process list shows it.

Keys: host, port, security (none, starttls or tls), ca (a file; empty for the system's), user, password, sender, to (a
list), subject, text, run_id, seconds. Exit status 1, with one line on standard error, where somebody did not get it.
"""

from __future__ import annotations

import contextlib
import json
import signal
import smtplib
import socket
import ssl
import sys
from collections.abc import Iterator
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any, NoReturn

PROGRAM = "pgops-runbook"


class TimeIsOver(Exception):
    """No OSError, which smtplib would take for a connection that broke."""


#: A server or a value that is not as it should be; some of these the mail's own headers raise for an address.
FORESEEABLE = (
    OSError,
    smtplib.SMTPException,
    MessageError,
    ValueError,
    IndexError,
    TypeError,
    TimeIsOver,
)


def message(mail: dict[str, Any]) -> EmailMessage:
    """The mail, whose headers are one line each whatever a name or a reason holds.

    Raises:
        ValueError, MessageError: an address is none.
    """
    made = EmailMessage()
    made["Subject"] = _one_line(mail["subject"])
    made["From"] = _one_line(mail["sender"]) or f"{PROGRAM}@{socket.getfqdn()}"
    made["To"] = [_one_line(one) for one in recipients(mail["to"])]
    made["Date"] = formatdate(localtime=True)
    made["Message-ID"] = make_msgid(domain=PROGRAM)
    # Beginning and end of a run stand together; and no holiday notice answers (RFC 3834).
    made["References"] = f"<{_one_line(mail['run_id'])}@{PROGRAM}>"
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(f"{mail['text']}\n")
    return made


def recipients(to: Any) -> list[Any]:
    """Addresses, given as a list or in one text with commas."""
    listed = to.split(",") if isinstance(to, str) else list(to)
    if not listed:
        raise ValueError("announce_mail_to names nobody")
    return [str(one).strip() for one in listed]


def _one_line(value: Any) -> str:
    return " ".join(str(value).split())


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """End what is inside when its time is over, however often the server sends a byte."""

    def over(*_: object) -> NoReturn:
        raise TimeIsOver(f"it had not been taken after {seconds:g} s")

    signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def send(mail: dict[str, Any]) -> dict[str, tuple[int, bytes]]:
    """Hand it over; who was refused by the server, with its answer.

    Raises:
        OSError, smtplib.SMTPException, ValueError, MessageError: it was handed to nobody.
    """
    made, security = message(mail), str(mail["security"])
    if security not in ("none", "starttls", "tls"):
        raise ValueError("announce_mail_security is none, starttls or tls")
    if mail["user"] and security == "none":
        raise ValueError("a password is not sent without TLS: set announce_mail_security to starttls or tls")
    host, port = str(mail["host"]), int(mail["port"])
    context = ssl.create_default_context(cafile=mail["ca"] or None) if security != "none" else None
    with (
        smtplib.SMTP_SSL(host, port, context=context)
        if security == "tls"
        else smtplib.SMTP(host, port) as server
    ):
        if security == "starttls":
            server.starttls(context=context)
        if mail["user"]:
            server.login(str(mail["user"]), str(mail["password"]))
        return server.send_message(made)


def _said(answer: tuple[int, bytes]) -> str:
    code, text = answer
    return f"{code} {_one_line(text.decode(errors='replace'))}"


def reason_of(error: Exception) -> str:
    """What a person reads; nothing of it was given by us but names of variables."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "; ".join(f"{one}: {_said(answer)}" for one, answer in error.recipients.items())
    if isinstance(error, smtplib.SMTPAuthenticationError):
        # Some servers quote what they were given.
        return f"the server did not accept announce_mail_user and announce_mail_password ({error.smtp_code})"
    if isinstance(error, smtplib.SMTPResponseException):
        text = error.smtp_error
        return _said((error.smtp_code, text if isinstance(text, bytes) else str(text).encode()))
    return _one_line(getattr(error, "strerror", None) or error) or type(error).__name__


def main() -> int:
    """Read, send, and say who did not get it."""
    try:
        mail = json.load(sys.stdin)
        with within(float(mail["seconds"])):
            refused = send(mail)
    except FORESEEABLE as error:
        print(reason_of(error), file=sys.stderr)
        return 1
    if refused:
        who = "; ".join(f"{one}: {_said(answer)}" for one, answer in refused.items())
        print(f"the others got it, but not {who}", file=sys.stderr)
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
