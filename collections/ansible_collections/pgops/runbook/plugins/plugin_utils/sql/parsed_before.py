# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A large script is parsed once in a command, although each of its steps is a process that begins with the files."""

from __future__ import annotations

import hashlib
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

__all__ = ["LARGE", "ParsedBefore", "parsed_before"]

#: Characters; to parse fewer takes a hundredth of a second.
LARGE = 50_000

Parsed = TypeVar("Parsed")


class ParsedBefore:
    """What earlier steps of the command have parsed.

    Attributes:
        folder: one that only this user can write in, and that goes when the command ends; None: nothing is kept.
    """

    folder: Path | None = None

    def get(self, text: str, parse: Callable[[], Parsed], *how: object) -> Parsed:
        """What ``parse`` makes of a text, now or in an earlier step.

        Args:
            text: of a script.
            parse: whatever it raises is not kept.
            how: what else its answer depends on.
        """
        if self.folder is None or len(text) < LARGE:
            return parse()
        kept = self.folder / f"parsed-{hashlib.sha256(f'{how!r} {text}'.encode()).hexdigest()}"
        try:
            return _read(kept)
        except (OSError, EOFError, pickle.UnpicklingError):
            parsed = parse()
        _write(kept, parsed)
        return parsed


def _read(path: Path) -> Any:
    with path.open("rb") as file:
        return pickle.load(file)  # noqa: S301 - nobody else writes in that folder


def _write(path: Path, parsed: object) -> None:
    """Whole, or not at all: where there is no room for it, the next step parses the script itself."""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            pickle.dump(parsed, file)
        Path(file.name).replace(path)
    except OSError:
        return


#: Of this process: a step sets the folder before it reads a file.
parsed_before = ParsedBefore()
