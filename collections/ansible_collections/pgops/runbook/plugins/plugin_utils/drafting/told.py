# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a person reads of files that were written for a new migration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .draft import Draft
from .written import said

__all__ = ["draft_report", "scaffold_report", "there_already"]


def scaffold_report(stem: str, version: str, written: Sequence[str]) -> list[str]:
    """Lines for files that were written from the template."""
    return [
        f"Migration {stem} is begun. Each of these but the precheck says that it is unfinished, and is refused until"
        " it is not:",
        *(f"  {path}" for path in written),
        "Write the migration. To have the rest drafted from it, delete rollback and verify script, and type"
        f" ansible-playbook playbooks/new_migration.yml -e migration={version}",
    ]


def there_already(stem: str) -> list[str]:
    """Lines for a name that a migration has."""
    return [f"Migration {stem} is there already. Nothing was written."]


def draft_report(draft: Draft | None, written: Sequence[str], kept: Mapping[str, str]) -> list[str]:
    """Lines for drafts.

    Args:
        draft: of the rollback; None where its script is there.
        written: paths.
        kept: kind -> path of the files that are there, and were not touched.
    """
    lines = [f"Drafted: {path}" for path in written]
    lines += [f"Kept as it is: {path}" for path in kept.values()]
    if draft is None:
        return lines
    points = draft.open_points()
    if not points:
        taken = sum(bool(step.undos) for step in draft.steps)
        lines.append(
            f"The rollback takes back each of the {taken} statements that change something. Read it, then rehearse it:"
            " playbooks/rehearse.yml"
        )
        return lines
    statements = {step.line: said(step) for step in draft.steps}
    lines.append(f"The rollback is unfinished, and is refused until these are seen to ({len(points)}):")
    for line, sentence in points:
        where = f"line {line}, {statements[line]}: " if line else ""
        lines.append(f"  {where}{sentence}")
    return lines
