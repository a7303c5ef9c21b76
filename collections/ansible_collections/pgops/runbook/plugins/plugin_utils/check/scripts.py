# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is wrong with the scripts of a folder: each by itself, and a migration together with its rollback."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from ...module_utils.errors import RunbookError
from ...module_utils.preflight.checks import faults_of_scripts
from ...module_utils.shapes import IndexEntry
from ..run.plan import entry_of
from ..sql.header import parse_header
from ..sql.layouts.sqitch import header_of_change
from ..sql.library import SqlLibrary
from ..sql.script import SqlScriptError
from .faults import faults_of, parses

__all__ = ["faults_of_all", "faults_of_pairs"]


def faults_of_all(library: SqlLibrary) -> Iterator[SqlScriptError]:
    """Of each script: what its header, its text and its marks have of what is refused."""
    header_of_layout = header_of_change if library.layout.name == "sqitch" else parse_header
    for migration in library.migrations:
        for script in filter(None, (migration.apply, migration.rollback, migration.verify)):
            yield from faults_of(script, header_of_layout)
        for script in filter(None, (migration.precheck, migration.sample)):
            yield from faults_of(script, parse_header)
    for script in library.smoke:
        yield from faults_of(script, parse_header)


def faults_of_pairs(library: SqlLibrary) -> Iterator[RunbookError]:
    """Of each migration: what preflight refuses though its scripts parse."""
    for facts, migration in zip(library.index(), library.migrations, strict=True):
        entry = cast(IndexEntry, entry_of(facts, migration))
        if parses(migration.apply):
            entry["problems"] = []  # of other scripts, which do not keep it from being empty
        yield from faults_of_scripts(entry)
