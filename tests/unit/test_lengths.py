# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files are short enough to hold in the head; one that is not has a reason."""

from __future__ import annotations

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PLUGINS = PROJECT / "collections/ansible_collections/pgops/runbook/plugins"

#: CONTRIBUTING.md asks for 300 lines. A file that one subject fills may have somewhat more; from here on not without a
#: reason.
LINES = 400

REASONS = {
    "module_utils/reasons.py": "a table: one entry a code",
    "doc_fragments/step.py": "documentation of the options that steps share, as ansible-doc wants it: one text",
    "module_utils/salvage/returning/waiting.py": "the rows that wait, as SQL: each part names the same temporary table",
    "plugin_utils/drafting/creating.py": "a handler for each statement that makes something, none longer than a screen",
}


def lengths() -> dict[str, int]:
    return {
        path.relative_to(PLUGINS).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in PLUGINS.rglob("*.py")
    }


def test_a_long_file_has_a_reason() -> None:
    assert sorted(name for name, lines in lengths().items() if lines > LINES) == sorted(REASONS)
