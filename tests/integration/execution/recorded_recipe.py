# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the recipe does, written down while real steps run: the calls that it makes, and the SQL that it sends.

Three kinds of SQL are told apart by whose code sends it, the innermost of these on the stack:

* the recipe's (``execution/recipe`` and ``execution/one_by_one``, and what they call): must be the same on the copy and
  in production;
* that of hooks (``rehearsal/hooks``, the room ``production``) and of what only hooks bring in, the keeping of salvage
  (``salvage/keeping``): what one side adds, and says so by its place;
* the meters' (room ``impact``), which only read, and measure more on the copy.

Numbers in texts are left out: OIDs, items and digests of numbers differ from database to database.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg2
import psycopg2.extensions
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.execution import recipe
from ansible_collections.pgops.runbook.plugins.module_utils.postgres import connection as connection_module

__all__ = ["ROOMS", "Recorder", "Recording"]

ROOMS = Path(recipe.__file__).parents[1]
RECIPE = tuple(str(ROOMS / "execution" / name) for name in ("recipe.py", "recipe_one_by_one.py"))
#: Files and folders -> whose code they are; what is not named works for whoever calls it.
OWNERS = {
    str(ROOMS / place): owner
    for place, owner in {
        "execution/recipe": "recipe",
        "execution/one_by_one.py": "recipe",
        "production/": "hooks",
        "rehearsal/hooks.py": "hooks",
        "salvage/keeping/": "hooks",
        "impact/": "meter",
    }.items()
}
STARTED = (
    "apply_in_one_transaction",
    "apply_one_by_one",
    "roll_back_in_one_transaction",
    "roll_back_one_by_one",
)
HOOKS = ("CopyHooks.", "ApplyHooks.", "RollbackHooks.", "ProductionHooks.", "Hooks.")

#: Calls by which one side measures what the other does not; they change nothing.
MEASURES = ("ImpactMeter.", "ImpactOneByOne.", "SessionWal.")


@dataclass
class Recording:
    """One run of the recipe.

    Attributes:
        where: "copy" or "production".
        started: the function of the recipe that was called.
        calls: names of the functions that the recipe called, in order.
        sql: what the recipe sent to the server, in order.
    """

    where: str
    started: str
    calls: list[str] = field(default_factory=list)
    sql: list[str] = field(default_factory=list)


def owner_of(frame: FrameType | None) -> str | None:
    """Whose code is at work: "recipe", "hooks", "meter", or None where the recipe has no part in it."""
    while frame is not None:
        for place, owner in OWNERS.items():
            if frame.f_code.co_filename.startswith(place):
                return owner
        frame = frame.f_back
    return None


def plain(text: str) -> str:
    """A text of SQL without its numbers and its white space."""
    return re.sub(r"\d+", "N", " ".join(text.split()))


class Recorder:
    """Records every run of the recipe in this process, as long as it is used.

    Args:
        monkeypatch: undoes what it changes.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.recordings: list[Recording] = []
        self._current: Recording | None = None
        self._connect(monkeypatch)

    def _connect(self, monkeypatch: pytest.MonkeyPatch) -> None:
        recorder = self

        class RecordingCursor(psycopg2.extensions.cursor):
            def execute(self, query: Any, values: Any = None) -> None:
                recorder.sent(query if isinstance(query, str) else query.as_string(self), sys._getframe(1))
                super().execute(query, values)

        real = psycopg2.connect

        def connect(**parameters: Any) -> Any:
            return real(**parameters, cursor_factory=RecordingCursor)

        monkeypatch.setattr(connection_module.psycopg2, "connect", connect)

    def sent(self, text: str, frame: FrameType) -> None:
        if self._current is not None and owner_of(frame) == "recipe":
            self._current.sql.append(plain(text))

    @contextmanager
    def running(self) -> Iterator[None]:
        sys.setprofile(self._called)
        try:
            yield
        finally:
            sys.setprofile(None)

    def _called(self, frame: FrameType, event: str, _argument: object) -> None:
        if event not in ("call", "return") or frame.f_back is None:
            return
        name = frame.f_code.co_qualname
        starts = name in STARTED and frame.f_code.co_filename in RECIPE
        if event == "return":
            self._current = None if starts else self._current
        elif starts:
            where = "copy" if type(frame.f_locals["hooks"]).__name__ == "CopyHooks" else "production"
            self._current = Recording(where, name)
            self.recordings.append(self._current)
        elif (
            self._current is not None
            and frame.f_back.f_code.co_filename in RECIPE
            and frame.f_code.co_filename.startswith(str(ROOMS))
        ):
            shown = "hooks." + name.rpartition(".")[2] if name.startswith(HOOKS) else name
            if not shown.startswith(MEASURES) and shown != "hooks.connection":
                self._current.calls.append(shown)

    def last(self, where: str, started: str) -> Recording:
        """The newest recording of a function of the recipe on one side."""
        return [one for one in self.recordings if (one.where, one.started) == (where, started)][-1]
