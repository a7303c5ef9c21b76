# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""One thing that a check of the SQL folder has found, and what makes it the same one after the next commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from ...module_utils.digests import digest_of
from ...module_utils.reasons import REASONS, Reason

__all__ = [
    "ERROR",
    "FILE_NOT_READ",
    "LINT",
    "NO_MIGRATION",
    "SCRIPT_WITHOUT_MIGRATION",
    "WARNING",
    "Finding",
    "Key",
    "fingerprints",
    "in_order",
    "printable",
    "rule_of",
]

ERROR, WARNING = "error", "warning"

# What only a check says: preflight warns of the first two, reports the third, and has nothing to do by the last.
SCRIPT_WITHOUT_MIGRATION = "script_without_migration"
FILE_NOT_READ = "file_not_read"
LINT = "lint"
NO_MIGRATION = "no_migration"

_OWN_RULES = {
    SCRIPT_WITHOUT_MIGRATION: Reason(
        "A script is the rollback, the check or the sample of a migration that is not there.",
        "Rename it as its migration is called, or remove it.",
    ),
    FILE_NOT_READ: Reason(
        "An SQL file is passed over: its name or its kind is not one that is deployed.",
        "Rename it as the layout wants it, or leave it where it does no harm.",
    ),
    LINT: Reason(
        "The linter squawk warns of a statement.",
        "Read the rule's page, and write the statement otherwise where that helps.",
    ),
    NO_MIGRATION: Reason(
        "The folder has no migration, so that nothing was checked.",
        "Set sql_dir to the folder that is meant.",
    ),
}


class Key(NamedTuple):
    """What makes a finding the same one though lines were added above it.

    Attributes:
        rule: the linter's, or the code.
        file: relative to the SQL folder.
        text: of the line where it is, in single blanks; empty where the whole file is meant.
    """

    rule: str
    file: str
    text: str


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        level: ERROR, for which preflight would refuse the migration, or WARNING.
        code: the reason_code that preflight would give, or one of those above.
        file: relative to the SQL folder, with forward slashes; empty for the folder itself.
        line, column: 1-based; column 0 where it is not known.
        message: one sentence without the place.
        rule: the linter's name of it, or empty.
        text: see Key.
        hides: whether nothing else could be looked at because of it, so that it cannot be accepted.
    """

    level: str
    code: str
    file: str
    line: int
    column: int
    message: str
    rule: str = ""
    text: str = ""
    hides: bool = False

    @property
    def key(self) -> Key:
        return Key(self.rule or self.code, self.file, self.text)

    def path(self, folder: str) -> str:
        """Of its file, from where ``folder`` is called so; of the folder itself where no file is meant."""
        return "/".join(part for part in (folder if folder != "." else "", self.file) if part) or "."

    def shown(self, folder: str) -> str:
        """A line for a person, as compilers write it.

        Args:
            folder: how the SQL folder is called in it.
        """
        column = f":{self.column}" if self.column else ""
        return f"{self.path(folder)}:{self.line}{column}: {self.level}: {self.key.rule}: {self.message}"


def rule_of(code: str) -> Reason:
    """What a code means, and what to do about it."""
    return _OWN_RULES.get(code) or REASONS[code]


def printable(text: str) -> str:
    """The text with everything escaped that would act on a terminal or cannot be written to a file as UTF-8."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """By place, each once, and fit to be shown."""
    fit = {
        replace(one, file=printable(one.file), message=printable(one.message), text=printable(one.text))
        for one in findings
    }
    return sorted(fit, key=lambda one: (one.file, one.line, one.column, one.key.rule, one.message))


def fingerprints(findings: Iterable[Finding]) -> list[str]:
    """For each finding a digest that does not depend on its line; equal ones are numbered in their order."""
    seen: Counter[Key] = Counter()
    digests = []
    for one in findings:
        seen[one.key] += 1
        digests.append(digest_of([*one.key, seen[one.key]]))
    return digests
