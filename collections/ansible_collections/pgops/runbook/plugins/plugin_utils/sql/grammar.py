# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""PostgreSQL's grammar (pglast), where the controller has it.

What parses SQL is imported within ``with GRAMMAR:``. On a controller without pglast each task then says so in one
sentence, where an import that fails would name a module and no remedy.
"""

from __future__ import annotations

import sys
from types import TracebackType

__all__ = ["GRAMMAR", "Grammar"]


class Grammar:
    """Takes the failure of imports that need pglast, and no other.

    Attributes:
        is_missing: an import has failed for want of it; what was to be imported is not there.
    """

    def __init__(self) -> None:
        self.is_missing = False

    def __enter__(self) -> Grammar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """True where the failure is taken."""
        missing = isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] == "pglast"
        self.is_missing = self.is_missing or missing
        return missing

    @staticmethod
    def how_to_install(state: str) -> str:
        """What a task says that cannot parse.

        Args:
            state: what has come of it, a sentence.
        """
        return (
            f"The Python package pglast, which parses SQL, is missing on the controller. {state} Install it:"
            f" {sys.executable} -m pip install pglast"
        )


#: Of this process: pglast is there for all that is imported, or for nothing.
GRAMMAR = Grammar()
