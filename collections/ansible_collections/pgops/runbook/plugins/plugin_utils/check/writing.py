# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files of a check: for a pull request, for test results, and for what shows findings beside the code."""

from __future__ import annotations

from pathlib import Path

from ...module_utils.durable import write_file_durably
from ...module_utils.errors import Refused
from ...module_utils.own_files import make_own_folder, make_parent
from .cases import as_cases
from .markdown import as_markdown
from .outcome import Outcome
from .sarif import as_sarif

__all__ = ["FORMS", "write_forms"]

#: Name of the file -> what is in it.
FORMS = {"check.md": as_markdown, "check.junit.xml": as_cases, "check.sarif": as_sarif}


def write_forms(outcome: Outcome, output_dir: str) -> list[str]:
    """Write all forms into a folder, which is made where it is not there; returns their paths.

    They quote scripts and names, and others may make folders where ours is to be: as with the folders of runs, it is
    ours or is refused, and nobody else reads what is in it.

    Args:
        output_dir: the folder; empty where nothing is to be written.

    Raises:
        Refused: they cannot be written; what was found is in ``details``, as lines.
    """
    if not output_dir:
        return []
    folder = Path(output_dir).expanduser().absolute()
    try:
        make_parent(str(folder))
        make_own_folder(str(folder))
        for name, form in FORMS.items():
            write_file_durably(str(folder / name), form(outcome))
    except OSError as error:
        lines = "\n".join(outcome.report())
        raise Refused(
            "artifacts_dir_unwritable",
            f"The files of the check could not be written to {folder}: {error.strerror}. Set check_output_dir to a"
            f" folder of your own. What it found:\n{lines}",
        ) from None
    return [str(folder / name) for name in FORMS]
