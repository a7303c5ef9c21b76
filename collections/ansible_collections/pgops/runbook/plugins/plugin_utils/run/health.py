# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asking the application itself how it is, from the controller, as a part of the smoke tests.

An address may have a password or a token in it: what is said names its place in health_urls and its host, and repeats
nothing of what a library says of it.
"""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from ansible.module_utils.urls import open_url

from ...module_utils.errors import Refused

__all__ = ["ask_health", "check_urls", "health_of"]

# The run holds the database for 15 minutes without a word (its lease); no answer may take longer to be given up.
LONGEST_SECONDS = 600

#: Asks one address; returns its status, or why there is none.
Ask = Callable[[str, float], "int | str"]


def health_of(settings: Mapping[str, Any], let_in: Callable[[], str | None]) -> dict[str, Any] | None:
    """How the application is, for the step smoke_test; None where nobody is to be asked.

    Args:
        settings: runbook_health, of roles/runbook/vars/main.yml.
        let_in: lets it into the database again, where maintenance_mode keeps it out; returns why it could not.

    Returns:
        dict: asked (see ask_health), failure (a sentence, or empty).
    """
    urls = _urls(settings.get("urls"))
    if not urls:
        return None
    kept_out = let_in()
    if kept_out is not None:
        return {
            "asked": [],
            "failure": f"The application could not be asked, because maintenance_mode was not ended: {kept_out}",
        }
    return ask_health(
        urls,
        int(settings["retries"]),
        float(settings["delay_seconds"]),
        float(settings["timeout_seconds"]),
    )


def check_urls(settings: Mapping[str, Any]) -> None:
    """
    Args:
        settings: see health_of.

    Raises:
        Refused: health_urls has something in it that cannot be asked.
    """
    for number, url in enumerate(_urls(settings.get("urls")), start=1):
        if not _can_be_asked(url):
            raise Refused(
                "setting_invalid",
                f"Entry {number} of health_urls is no address that can be asked: it has to begin with http:// or"
                " https://, to name a host, and to have neither spaces nor control characters in it.",
            )


def ask_health(
    urls: Sequence[str], retries: int, delay_seconds: float, timeout_seconds: float, ask: Ask | None = None
) -> dict[str, Any]:
    """Ask each address until it answers with a status from 200 to 299; end at the first that does not.

    Args:
        urls: addresses.
        retries: how often one is asked again.
        delay_seconds: the pause before.
        timeout_seconds: how long an answer may take.
        ask: see Ask.

    Returns:
        dict: asked (list of dicts: host, status or None, attempts), failure (a sentence, or empty).
    """
    asked: list[dict[str, Any]] = []
    ends = time.monotonic() + LONGEST_SECONDS
    for number, url in enumerate(urls, start=1):
        attempts, answer = 1, (ask or _ask)(url, timeout_seconds)
        while not _is_well(answer) and attempts <= retries and time.monotonic() < ends:
            time.sleep(max(0, delay_seconds))
            attempts, answer = attempts + 1, (ask or _ask)(url, timeout_seconds)
        status = answer if isinstance(answer, int) else None
        asked.append({"host": _host(url), "status": status, "attempts": attempts})
        if not _is_well(answer):
            why = f"answered {answer}" if isinstance(answer, int) else f"did not answer: {answer}"
            times = "once" if attempts == 1 else f"{attempts} times"
            failure = f"Entry {number} of health_urls (on {_host(url)}), asked {times}, {why}."
            return {"asked": asked, "failure": failure}
    return {"asked": asked, "failure": ""}


def _urls(value: Any) -> list[str]:
    """The entries of the variable, of which one alone may be given without a list."""
    entries = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    return [str(entry) for entry in entries if entry not in (None, "")]


def _can_be_asked(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(host) and url.isprintable() and " " not in url


def _host(url: str) -> str:
    """Host and port, without who logs in there."""
    try:
        parts = urlsplit(url)
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
    except ValueError:
        return "a host that cannot be read"


def _is_well(answer: int | str) -> bool:
    return isinstance(answer, int) and 200 <= answer < 300


def _ask(url: str, timeout_seconds: float) -> int | str:
    """See Ask. In a thread, since the limit of a socket begins anew with each byte that comes."""
    answers: list[int | str] = []
    thread = threading.Thread(target=lambda: answers.append(_status(url, timeout_seconds)), daemon=True)
    thread.start()
    thread.join(timeout_seconds + 1)
    return answers[0] if answers else f"nothing came within {timeout_seconds:g} s"


def _status(url: str, timeout_seconds: float) -> int | str:
    try:
        with open_url(
            url, timeout=timeout_seconds, http_agent="pgops.runbook", force=True, force_basic_auth=True
        ) as answer:
            return int(answer.getcode())
    except HTTPError as error:
        error.close()
        return int(error.code)
    except Exception as error:
        return _why(error, timeout_seconds)


def _why(error: BaseException, timeout_seconds: float) -> str:
    """Why there is no status, without the words of a library, which may repeat the address."""
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, TimeoutError):
        return f"nothing came within {timeout_seconds:g} s"
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {reason.verify_message}"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    if isinstance(reason, http.client.HTTPException):
        return "what came is no answer of HTTP"
    return f"it cannot be asked ({type(reason).__name__})"
