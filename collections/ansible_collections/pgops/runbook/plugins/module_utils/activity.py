# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What this process is doing and how far it is, for whoever watches it.

A step is a process of its own and does one thing after the other, so that there is one activity a process. What works
says here what it begins and what it has done, which costs nothing; step/progress.py tells it to the controller.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

__all__ = ["advance", "begin", "doing", "waits"]

_LOCK = threading.Lock()
_NOW: dict[str, Any] = {}
_WAITS: dict[str, str] = {}


def begin(
    what: str,
    total: float | None = None,
    unit: str = "",
    measure: Callable[[], float] | None = None,
) -> None:
    """Say what begins; what was done before has ended.

    Args:
        what: as a person reads it: "comparing tables".
        total: how much there is to do; None where that is not known.
        unit: "bytes", or nothing for things that are counted.
        measure: asks how much is done, where nobody counts; called by the watching thread.
    """
    with _LOCK:
        _NOW.clear()
        _NOW.update(
            {
                "what": what,
                "done": 0,
                "total": total,
                "unit": unit,
                "since": time.monotonic(),
                "measure": measure,
            }
        )


def advance(count: float = 1) -> None:
    """Say that so much more is done; of any thread."""
    with _LOCK:
        if _NOW:
            _NOW["done"] += count


def waits(what: str | None) -> None:
    """Say what is waited for, whatever was begun, until somebody says otherwise; of any thread.

    Args:
        what: as a person reads it after "waits for"; None where nothing is any more.
    """
    with _LOCK:
        _WAITS.clear()
        if what is not None:
            _WAITS["waits_for"] = what


def doing() -> dict[str, Any]:
    """What is done now: what, done, total, unit, seconds (since it began), waits_for; empty where nothing was begun."""
    with _LOCK:
        now, waiting = dict(_NOW), dict(_WAITS)
    if not now:
        return dict(waiting)
    measure, since = now.pop("measure"), now.pop("since")
    if measure is not None:
        now["done"] = measure()
    return {**now, **waiting, "seconds": round(time.monotonic() - since, 1)}
