# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a check comes to: whether it fails, and its lines for a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...module_utils.sentences import cut
from .baseline import Sorted
from .finding import ERROR, WARNING, Finding, Key, printable
from .look import Look

__all__ = ["FAIL_ON", "Outcome", "folder_in_repository"]

#: What makes a check fail -> the levels of findings that do.
FAIL_ON = {ERROR: (ERROR,), WARNING: (ERROR, WARNING)}

# On a screen; the files have all.
MOST_LINES = 200


@dataclass(frozen=True)
class Outcome:
    """What was found, and what of it counts.

    Attributes:
        folder: the SQL folder as its repository calls it.
        looked: what was seen.
        sorted_out: by the baseline.
        baseline: path of that; empty where there is none.
        fail_on: a key of FAIL_ON.
        notes: sentences about what was not looked at, or what else there is to say.
    """

    folder: str
    looked: Look
    sorted_out: Sorted
    baseline: str
    fail_on: str
    notes: tuple[str, ...] = ()

    @property
    def failing(self) -> list[Finding]:
        return [one for one in self.sorted_out.counting if one.level in FAIL_ON[self.fail_on]]

    def counted(self, level: str) -> int:
        return sum(one.level == level for one in self.sorted_out.counting)

    def title(self) -> str:
        """In a few words."""
        found = [_counted(self.counted(level), level) for level in (ERROR, WARNING) if self.counted(level)]
        layout = f" ({self.looked.layout})" if self.looked.layout else ""
        what = f"{_counted(self.looked.migrations, 'migration')}, {', '.join(found) or 'nothing found'}"
        return f"{self.folder}{layout}: {what}"

    def report(self) -> list[str]:
        """Lines for a person: the title, a line a finding, and what else there is to say."""
        found = [one.shown(self.folder) for one in self.sorted_out.counting]
        return [self.title(), *cut(found, MOST_LINES), *self.remarks()]

    def remarks(self) -> list[str]:
        """Sentences about the baseline, and about what was not looked at."""
        lines = []
        if self.sorted_out.accepted:
            lines.append(f"Accepted by {self.baseline}: {len(self.sorted_out.accepted)}")
        if self.sorted_out.stale:
            stale = "; ".join(cut([_shown(key) for key in self.sorted_out.stale], 10))
            lines.append(f"Found no longer, and still in {self.baseline}: {stale}")
        return [*lines, *self.notes]


def folder_in_repository(sql_dir: str) -> str:
    """How a repository calls the SQL folder: from its top, else from where the command was given, else in full."""
    root = Path(sql_dir).expanduser().resolve()
    tops: Sequence[Path] = [path for path in (root, *root.parents) if (path / ".git").exists()]
    for top in (*tops[:1], Path.cwd().resolve()):
        if root.is_relative_to(top):
            return printable(root.relative_to(top).as_posix())
    return printable(root.as_posix())


def _counted(count: int, one: str) -> str:
    return f"{count} {one}{'' if count == 1 else 's'}"


def _shown(key: Key) -> str:
    return f"{key.rule} in {key.file or 'the folder'}{f' ({key.text})' if key.text else ''}"
