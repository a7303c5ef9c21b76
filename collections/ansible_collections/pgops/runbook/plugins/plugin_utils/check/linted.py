# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the linter says of all migrations, as preflight asks it."""

from __future__ import annotations

from collections.abc import Collection

from ..sql.library import SqlLibrary
from ..sql.lint import lint
from .faults import parses
from .finding import ERROR, LINT, WARNING, Finding

__all__ = ["GATING_RULES", "LINT_IS_MISSING", "findings_of_lint"]

#: The default of preflight_lint_gating_rules.
GATING_RULES = ("ban-drop-database", "ban-truncate-cascade")

LINT_IS_MISSING = (
    "Nothing was linted: squawk is not installed on the controller, or gave no answer. Install it:"
    " python -m pip install squawk-cli"
)


def findings_of_lint(library: SqlLibrary, gating_rules: Collection[str]) -> list[Finding] | None:
    """Of each migration that parses; None where there is no linter.

    Args:
        gating_rules: rules whose findings refuse a migration.

    Raises:
        Refused: the linter has no such rule.
    """
    by_file = lint(
        (migration.apply for migration in library.migrations if parses(migration.apply)), gating_rules
    )
    if by_file is None:
        return None
    return [
        Finding(
            *((ERROR, "lint_rule_broken") if one["rule"] in gating_rules else (WARNING, LINT)),
            file=file,
            line=one["line"],
            column=0,
            message=one["message"],
            rule=one["rule"],
        )
        for file, several in by_file.items()
        for one in several
    ]
