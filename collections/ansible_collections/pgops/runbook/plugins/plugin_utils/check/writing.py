# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files of a check: for a pull request, for test results, and for what shows findings beside the code."""

from __future__ import annotations

from pathlib import Path

from ...module_utils.durable import write_file_durably
from ...module_utils.errors import Refused
from .cases import as_cases
from .markdown import as_markdown
from .outcome import Outcome
from .sarif import as_sarif

__all__ = ["FORMS", "write_forms"]

#: Name of the file -> what is in it.
FORMS = {"check.md": as_markdown, "check.junit.xml": as_cases, "check.sarif": as_sarif}


def write_forms(outcome: Outcome, output_dir: str) -> list[str]:
    """Write all forms into a folder, which is made where it is not there; returns their paths.

    Args:
        output_dir: the folder; empty where nothing is to be written.

    Raises:
        Refused: they cannot be written; what was found is in ``details``, as lines.
    """
    if not output_dir:
        return []
    folder = Path(output_dir).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, form in FORMS.items():
            # They are for whatever comes next in a pipeline, perhaps as another user.
            write_file_durably(str(folder / name), form(outcome), mode=0o644)
    except OSError as error:
        lines = "\n".join(outcome.report())
        raise Refused(
            "artifacts_dir_unwritable",
            f"The files of the check could not be written to {folder}: {error.strerror}. Set check_output_dir to a"
            f" folder that can be written. What it found:\n{lines}",
        ) from None
    return [str(folder / name) for name in FORMS]
