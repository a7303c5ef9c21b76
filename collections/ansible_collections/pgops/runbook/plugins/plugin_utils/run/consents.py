# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a person has agreed to for a run: the variables that let something pass which is refused without them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...module_utils.consent import NO

__all__ = ["consents_of"]

# README.md, "Consents".
PREFIX = "accept_"


def consents_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """The consents among the options of a step, by name; one that was not given is none.

    Args:
        options: as the task has them: a variable of the command line is a string.
    """
    return {
        name: value
        for name, value in sorted(options.items())
        if name.startswith(PREFIX) and str(value).strip().lower() not in NO
    }
