# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""PostgreSQL's grammar (pglast), where the controller has it.

What parses SQL is imported within ``with GRAMMAR:``. On a controller without pglast each task then says so in one
sentence, where an import that fails would name a module and no remedy.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import TracebackType

__all__ = ["GRAMMAR", "Grammar"]


class Grammar:
    """Takes the failure of imports that need pglast, and no other.

    Attributes:
        is_missing: an import has failed for want of it; what was to be imported is not there.
        why: the end of a sentence that begins with the package's name.
    """

    def __init__(self) -> None:
        self.is_missing = False
        self.why = "is missing on the controller"

    def __enter__(self) -> Grammar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """True where the failure is taken."""
        if not isinstance(error, ImportError):
            return False
        missing = isinstance(error, ModuleNotFoundError) and _is_pglast(error.name)
        damaged = not missing and any(_is_pglast(name) for name in (error.name, *_modules(trace)))
        if damaged:
            # Built for another system, for one: it is there, and nothing of it works.
            self.why = f"cannot be loaded on the controller ({' '.join(str(error).split())})"
        self.is_missing = self.is_missing or missing or damaged
        return missing or damaged

    def how_to_install(self, state: str) -> str:
        """What a task says that cannot parse.

        Args:
            state: what has come of it, a sentence.
        """
        return (
            f"The Python package pglast, which parses SQL, {self.why}. {state} Install it:"
            f" {sys.executable} -m pip install --force-reinstall pglast"
        )


def _is_pglast(name: object) -> bool:
    return str(name or "").partition(".")[0] == "pglast"


def _modules(trace: TracebackType | None) -> Iterator[object]:
    """Names of the modules in which it happened, the outermost first."""
    while trace is not None:
        yield trace.tb_frame.f_globals.get("__name__")
        trace = trace.tb_next


#: Of this process: pglast is there for all that is imported, or for nothing.
GRAMMAR = Grammar()
