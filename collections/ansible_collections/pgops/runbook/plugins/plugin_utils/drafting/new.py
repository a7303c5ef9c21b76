# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A new migration, from the command to its files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ...module_utils.errors import Refused
from ..record.controller import operator
from ..sql.layouts.choice import AUTO
from ..sql.library import Migration, SqlLibrary, read_sql_library
from ..sql.script import parse_script
from .checks import checks_of, verify_text
from .draft import Draft, draft_rollback
from .live import Live
from .scaffold import (
    check_layout,
    check_name,
    files_of,
    migration_named,
    missing_files,
    new_stem,
    templates,
    write_new,
)
from .told import draft_report, scaffold_report, there_already
from .written import About, rollback_text

__all__ = ["Asking", "Order", "begun", "drafted"]

#: Questions -> what the module answers: answers, applied, database.
Asking = Callable[[list[dict[str, Any]]], Mapping[str, Any]]

#: Kinds of files that are drafted from a migration.
DRAFTED = ("rollback", "verify")

#: A statement asks in at most so many turns: for what there is, for a name that is free, and for what it was.
ROUNDS = 25


@dataclass(frozen=True)
class Order:
    """What a person asks for.

    Attributes:
        name: of a migration to begin; empty where one is to be drafted.
        migration: the version or name of that.
        writes: whether files are written; in check mode they are not.
    """

    name: str
    migration: str
    author: str
    sql_dir: str
    layout: str
    date: datetime
    writes: bool

    @classmethod
    def of(cls, options: Mapping[str, Any], run: Mapping[str, Any], now: datetime, writes: bool) -> Order:
        """Of the options of the task.

        Raises:
            Refused: neither a name nor a migration is given, or both are.
        """
        name = str(options.get("name") or "").strip()
        migration = str(run.get("migration") or "").strip()
        if bool(name) == bool(migration):
            raise Refused(
                "new_migration_refused",
                "Say what is wanted: -e name=add_tags begins a migration, -e migration=012 drafts what is"
                " missing of one"
                " that is written. Nothing was written.",
            )
        author = " ".join(re.findall(r"[\w.@'-]+", str(options.get("author") or operator())))
        return cls(
            name,
            migration,
            author,
            str(run.get("sql_dir") or "sql"),
            str(run.get("sql_layout") or AUTO),
            now,
            writes,
        )

    def library(self) -> SqlLibrary:
        """
        Raises:
            Refused: it cannot be read, or is another tool's.
        """
        library = read_sql_library(self.sql_dir, True, self.layout)
        check_layout(library)
        return library


def begun(order: Order) -> dict[str, Any]:
    """Begin a migration with the next number; a name that is there already is left alone.

    Raises:
        Refused: the name cannot be one, or the files cannot be written.
    """
    name = check_name(order.name)
    library = order.library()
    there = migration_named(library, name)
    if there is not None:
        return {"changed": False, "files": [], "report": there_already(there)}
    stem = new_stem([migration.stem for migration in library.migrations], name, order.date)
    version = re.match(r"\d+", stem)[0]  # type: ignore[index]  # it has a number
    numbered = [migration for migration in library.migrations if migration.number is not None]
    about = About(
        stem,
        version,
        name.replace("_", " ").capitalize() + ".",
        order.date.strftime("%Y-%m-%d"),
        order.author,
        (max(numbered, key=lambda one: one.number or 0).version,) if numbered else (),
    )
    texts = {files_of(stem)[kind]: text for kind, text in templates(about).items()}
    root = Path(library.sql_dir)
    written = write_new(root, texts) if order.writes else [str(root / path) for path in texts]
    return {"changed": True, "files": written, "report": scaffold_report(stem, version, written)}


def drafted(order: Order, ask: Asking) -> dict[str, Any]:
    """Draft rollback and verify script of a migration, as far as they are missing.

    Raises:
        Refused: there is no such migration, it cannot be read or says that it is unfinished, or the database cannot be
            asked.
    """
    library = order.library()
    migration = library.find(order.migration)
    root = Path(library.sql_dir)
    wanted = missing_files(root, migration.stem, DRAFTED)
    files = files_of(migration.stem)
    kept = {kind: str(root / files[kind]) for kind in DRAFTED if kind not in wanted}
    if not wanted:
        return {"changed": False, "files": [], "unfinished": [], "report": draft_report(None, [], kept)}
    if not migration.apply.parse().statements:
        raise Refused(
            "migration_empty",
            f"Migration {migration.version} has no statement: {migration.apply.name} is empty. Write it"
            " first. Nothing was"
            " written.",
        )
    texts, draft = {}, None
    if "rollback" in wanted:
        draft = _draft(library, migration, ask)
        texts[wanted["rollback"]] = rollback_text(_about(order, migration), draft)
        parse_script(texts[wanted["rollback"]], wanted["rollback"])
    if "verify" in wanted:
        texts[wanted["verify"]] = verify_text(
            migration.stem, migration.version, checks_of(migration.apply.text)
        )
    written = write_new(root, texts) if order.writes else [str(root / path) for path in texts]
    points = draft.open_points() if draft else []
    return {
        "changed": True,
        "files": written,
        "unfinished": [{"line": line, "reason": sentence} for line, sentence in points],
        "report": draft_report(draft, written, kept),
    }


def _about(order: Order, migration: Migration) -> About:
    return About(
        migration.stem,
        migration.version,
        migration.description,
        order.date.strftime("%Y-%m-%d"),
        order.author,
        migration.requires if migration.requires_declared else None,
    )


def _draft(library: SqlLibrary, migration: Migration, ask: Asking) -> Draft:
    """The draft, with what the database has.

    Raises:
        Refused: the migration is applied, so that nothing is as it was before; or it asks without end.
    """
    live = Live()
    applied: set[str] | None = None
    for _ in range(ROUNDS):
        draft = draft_rollback(migration.apply.text, live, migration.version)
        if draft is not None:
            missing = () if applied is None else _required(library, migration) - applied
            ordered = [one.version for one in library.migrations if one.version in missing]
            return replace(draft, pending=tuple(ordered))
        answered = ask(live.questions)
        applied = set(answered["applied"])
        if migration.version in applied:
            raise Refused(
                "already_applied",
                f"Migration {migration.version} is applied in {answered['database']}, so that what it changed cannot be"
                " read there as it was. Draft it from a database that does not have it. Nothing was written.",
            )
        live.answered(answered["answers"])
    raise Refused(
        "new_migration_refused",
        f"{migration.apply.name} asks for more than can be asked in {ROUNDS} rounds: name its constraints and indexes."
        " Nothing was written.",
    )


def _required(library: SqlLibrary, migration: Migration) -> set[str]:
    """Versions that it requires, and that those require."""
    by_version = {one.version: one for one in library.migrations}
    required: set[str] = set()
    left = list(migration.requires)
    while left:
        version = left.pop()
        if version not in required and version in by_version:
            required.add(version)
            left += by_version[version].requires
    return required
