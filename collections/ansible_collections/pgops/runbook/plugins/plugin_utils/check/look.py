# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Look at a whole folder of SQL, without a server, and find at once all that preflight would refuse one by one."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from ...module_utils.errors import RunbookError
from ..sql.books import books_of
from ..sql.layouts.choice import layout_of
from ..sql.library import NO_LIBRARY, SqlLibrary, SqlLibraryError, read_sql_library
from ..sql.script import SqlScriptError
from .finding import (
    ERROR,
    FILE_NOT_READ,
    NO_MIGRATION,
    SCRIPT_WITHOUT_MIGRATION,
    WARNING,
    Finding,
    in_order,
)
from .linted import LINT_IS_MISSING, findings_of_lint
from .naming import circles, names_that_cannot_be, shared_numbers
from .scripts import faults_of_all, faults_of_pairs

__all__ = ["Look", "look"]

# Without these there is nothing to look at, or no way to know as what.
SETTINGS = ("setting_invalid", "sql_dir_unusable", "sql_layout_unknown")

# Of these a whole file is meant, and not the line at which it is reported.
OF_FILES = (
    "layout_foreign",
    "migration_empty",
    "rollback_script_empty",
    "rollback_script_missing",
    "script_must_be_split",
    "script_name_unusable",
    "version_key_unknown",
    "version_means_several_files",
    "version_not_unique",
    FILE_NOT_READ,
    SCRIPT_WITHOUT_MIGRATION,
)


# Of a folder that is not the one that is meant, as long as it can be read as one.
EMPTY = Finding(
    WARNING, NO_MIGRATION, "", 1, 0, "there is no migration; is sql_dir the folder that is meant?"
)


@dataclass(frozen=True)
class Look:
    """What there is to see.

    Attributes:
        layout: name of the layout; empty where the folder could not be read.
        migrations: how many there are.
        findings: by place.
        notes: sentences about what could not be looked at.
    """

    layout: str
    migrations: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()


def look(sql_dir: str, layout: str, version_table: Any, gating_rules: Collection[str]) -> Look:
    """Look at a folder.

    Args:
        sql_dir, layout: as read_sql_library takes them.
        version_table: see books_of.
        gating_rules: rules of the linter that refuse a migration.

    Raises:
        RunbookError: there is no folder to look at, or a setting is wrong.
    """
    books_of(version_table, NO_LIBRARY)
    root = Path(sql_dir).expanduser().absolute()
    try:
        library = read_sql_library(root, tolerant=True, layout=layout)
    except RunbookError as error:
        if error.code in SETTINGS:
            raise
        return Look("", 0, tuple(_placed(root, [replace(_finding(root, error), hides=True)])))
    lint = findings_of_lint(library, gating_rules)
    findings = [
        *(_finding(root, error) for error in _refusals(root, layout, library, version_table)),
        *(_remarked(remark) for remark in library.warnings),
        *(replace(_finding(root, error), level=WARNING) for error in shared_numbers(library)),
        *(() if library.migrations else (EMPTY,)),
        *(lint or ()),
    ]
    notes = (LINT_IS_MISSING,) if lint is None else ()
    return Look(library.layout.name, len(library.migrations), tuple(_placed(root, findings)), notes)


def _refusals(root: Path, layout: str, library: SqlLibrary, version_table: Any) -> Iterator[RunbookError]:
    """All that a deploy of one migration after the other would be refused for."""
    try:
        layout_of(root, layout)
    except SqlLibraryError as error:
        yield error
    yield from names_that_cannot_be(root, library)
    yield from faults_of_all(library)
    yield from faults_of_pairs(library)
    yield from circles(library)
    for migration in library.migrations:
        try:
            books_of(version_table, replace(library, migrations=(migration,)))
        except RunbookError as error:
            error.details.setdefault("script", migration.apply.name)
            yield error


def _finding(root: Path, error: RunbookError) -> Finding:
    if isinstance(error, SqlScriptError):
        file, line, column, what = _below(root, error.path), error.line, error.column, error.what
    else:
        file, line = str(error.details.get("script") or ""), cast(int, error.details.get("line", 1))
        column, what = 0, error.reason
    # Where the folder lies on this machine is nothing to the repository.
    return Finding(ERROR, error.code, file, line, column, what.replace(f"{root}/", ""))


def _below(root: Path, path: str) -> str:
    return Path(path).relative_to(root).as_posix() if Path(path).is_relative_to(root) else path


def _remarked(remark: Any) -> Finding:
    """Of a script that belongs to no migration, or a file that is not read."""
    level, code = (WARNING, FILE_NOT_READ) if remark.belongs else (ERROR, SCRIPT_WITHOUT_MIGRATION)
    return Finding(level, code, remark.name, 1, 0, remark.what)


def _placed(root: Path, findings: list[Finding]) -> list[Finding]:
    """The findings in order, each with the text of its line."""
    lines: dict[str, list[str]] = {}
    for one in findings:
        if one.file not in lines:
            lines[one.file] = _lines(root / one.file)
    return in_order(
        one if one.code in OF_FILES else replace(one, text=_text(lines[one.file], one.line))
        for one in findings
    )


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").split("\n") if path.is_file() else []
    except OSError:
        return []


def _text(lines: list[str], number: int) -> str:
    """A line in single blanks, as much of it as tells it from others."""
    line = lines[number - 1] if 0 < number <= len(lines) else ""
    text = re.sub(r"\s+", " ", line).strip()
    return text[:200]
