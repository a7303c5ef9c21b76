# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The text of sql/MIGRATION_ORDER.md: which migration needs which, from the headers of the scripts."""

from __future__ import annotations

from collections.abc import Mapping

from ..sql.library import Migration, SqlLibrary

__all__ = ["render"]

_COMMAND = "ansible-playbook playbooks/rehearse.yml -e migration=all"


def render(library: SqlLibrary) -> str:
    """Markdown, the same for the same folder: a table in the order to apply, and the tree of dependencies."""
    lines = [
        "# Migration order",
        "",
        f"Generated from the headers of the scripts by `{_COMMAND}`; do not edit.",
        "Apply from top to bottom, roll back from bottom to top.",
        "",
        "| version | script | requires | needed by | risk | data loss | rollback script | verify script |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for migration in library.migrations:
        needed_by = [other.version for other in library.migrations if migration.version in other.requires]
        requires = ", ".join(migration.requires) or "none"
        if not migration.requires_declared:
            requires = "all earlier (not declared)" if migration.requires else "none (not declared)"
        cells = [
            migration.version,
            migration.apply.name,
            requires,
            ", ".join(needed_by) or "none",
            migration.risk_level or "not stated",
            migration.data_loss or "not stated",
            "yes" if migration.rollback else "no",
            "yes" if migration.verify else "no",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "## Dependencies", ""]
    if not library.migrations:
        lines.append("There is no migration.")
    else:
        lines += ["A migration stands below the last one that it requires.", "", "```text"]
        lines += _tree(library)
        lines.append("```")
    return "\n".join(lines) + "\n"


def _tree(library: SqlLibrary) -> list[str]:
    """One line a migration, indented below its parent; further requirements in brackets."""
    by_version = {migration.version: migration for migration in library.migrations}
    direct = {migration.version: _direct(migration, by_version) for migration in library.migrations}
    children: dict[str | None, list[Migration]] = {}
    for migration in library.migrations:
        parents = direct[migration.version]
        children.setdefault(parents[-1] if parents else None, []).append(migration)

    lines: list[str] = []
    waiting = [(migration, 0) for migration in reversed(children.get(None, []))]
    while waiting:
        migration, depth = waiting.pop()
        others = direct[migration.version][:-1]
        also = f" (also requires {', '.join(others)})" if others else ""
        lines.append(f"{'    ' * depth}{migration.stem}{also}")
        waiting += [(child, depth + 1) for child in reversed(children.get(migration.version, []))]
    return lines


def _direct(migration: Migration, by_version: Mapping[str, Migration]) -> list[str]:
    """The requirements that do not follow from another requirement, in order."""
    implied: set[str] = set()
    for name in migration.requires:
        waiting = list(by_version[name].requires)
        while waiting:
            further = waiting.pop()
            if further not in implied:
                implied.add(further)
                waiting.extend(by_version[further].requires)
    return [name for name in migration.requires if name not in implied]
