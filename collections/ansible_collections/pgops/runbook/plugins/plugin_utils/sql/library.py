# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The folder of SQL that a deployment works from: its migrations, their order, and what modules need of them.

The folder is read once; SQL is parsed when first asked for. No text that a person gives (`-e migration=...`)
is ever used as a path: it is only compared with the names that the folder has.
"""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...module_utils import shapes
from ...module_utils.errors import Refused
from ...module_utils.sentences import listed
from .folder import Script, SqlLibraryError, read_folder
from .found import Contents, Found, Remark, number_of
from .layouts.choice import AUTO, Layout, layout_of
from .migration import Migration
from .order import UnknownRequirement, cycle_error, in_order_of_rank, requirements, topological_order
from .script import SqlScriptError

__all__ = [
    "NAMES_OF_THE_COMMAND",
    "NO_LIBRARY",
    "AmbiguousMigration",
    "Migration",
    "Script",
    "SqlLibrary",
    "SqlLibraryError",
    "UnknownMigration",
    "name_of_the_command",
    "read_sql_library",
]

NAMES_OF_THE_COMMAND = ("all", "pending")  # -e migration=all, -e migration=pending


class UnknownMigration(Refused):
    """No migration has this version or name."""


class AmbiguousMigration(Refused):
    """Several migrations share this number."""


@dataclass(frozen=True)
class SqlLibrary:
    """All migrations of a folder, in the order in which to apply them."""

    sql_dir: str
    migrations: tuple[Migration, ...]
    smoke: tuple[Script, ...]
    warnings: tuple[Remark, ...]
    layout: Layout

    def find(self, name: object) -> Migration:
        """The migration with this version or stem.

        Args:
            name: as a person or a YAML file gave it; anything.

        Raises:
            Refused: nothing was given.
            AmbiguousMigration: a number that several migrations share; names them.
            UnknownMigration: otherwise; names those that exist, the closest first.
        """
        text = "" if name is None else str(name).strip()
        if not text:
            raise Refused(
                "migration_not_named",
                "No migration is named: -e migration=<version>, or -e migration=pending",
            )
        for migration in self.migrations:
            if text in (migration.version, migration.stem):
                return migration
        sharing = [
            m.stem
            for m in self.migrations
            if m.number is not None and re.sub(r"\D.*", "", m.stem, flags=re.DOTALL) == text
        ]
        if sharing:
            raise AmbiguousMigration(
                "migration_ambiguous",
                f"migration {text} is ambiguous: {' and '.join(sharing)}; give the full name",
                migrations=sharing,
            )
        shown = text if len(text) <= 80 else text[:77] + "..."
        raise UnknownMigration(
            "migration_unknown", f"there is no migration {shown!r} in {self.sql_dir}; {self._offer(text)}"
        )

    def recorded_as(self, files: Mapping[str, str]) -> SqlLibrary:
        """The same migrations, of which some have the version by which they were recorded when they were deployed.

        Args:
            files: that version -> the version that the migration has since another file shares its number.
        """
        names = {now: recorded for recorded, now in files.items()}
        return replace(
            self,
            migrations=tuple(
                replace(
                    one,
                    version=names.get(one.version, one.version),
                    requires=tuple(names.get(version, version) for version in one.requires),
                )
                for one in self.migrations
            ),
        )

    def _offer(self, text: str) -> str:
        if not self.migrations:
            return "it holds no migration"
        names = {m.version: m.version for m in self.migrations} | {m.stem: m.version for m in self.migrations}
        same_number = [m.version for m in self.migrations if text.isdecimal() and m.number == int(text[:18])]
        close = [names[found] for found in difflib.get_close_matches(text[:200], names, n=5)]
        ordered = list(dict.fromkeys([*same_number, *close, *(m.version for m in self.migrations)]))
        return "it has " + listed(ordered, 15, ", ")

    def index(self) -> list[dict[str, Any]]:
        """The facts of every migration in order, JSON-able; what migration_order.py works on.

        `creates` is None for a script that does not parse.
        """
        return [
            {
                "version": m.version,
                "stem": m.stem,
                "number": m.number,
                "description": m.description,
                "requires": list(m.requires),
                "requires_declared": m.requires_declared,
                "risk_level": m.risk_level,
                "data_loss": m.data_loss,
                "transaction": m.apply.header.transaction,
                "apply_sha256": m.apply.sha256,
                "rollback_sha256": m.rollback.sha256 if m.rollback else None,
                "verify_sha256": m.verify.sha256 if m.verify else None,
                "creates": _creates(m.apply),
                "files": _files(m),
                "rollback_place": m.rollback_place,
            }
            for m in self.migrations
        ]

    def problems(self) -> list[str]:
        """Why files cannot be used that the reader went on without; one sentence each."""
        scripts = [
            script
            for migration in self.migrations
            for script in (
                migration.apply,
                migration.rollback,
                migration.verify,
                migration.precheck,
                migration.sample,
            )
            if script
        ]
        return [script.problem.reason for script in (*scripts, *self.smoke) if script.problem]

    def payload(
        self, versions: Iterable[object], to_roll_back: bool = False, to_adopt: bool = False
    ) -> list[shapes.Migration]:
        """What the modules that execute migrations need, in the order given, JSON-able.

        Args:
            to_roll_back: the rollback scripts are going to run, and the migrations only to be compared; of the others
                digests will do.
            to_adopt: only the scripts that apply are going to run.

        Raises:
            Refused: a version is not found; see find.
            SqlScriptError: one of the scripts cannot be executed; see parse_script.
        """
        return [
            {
                "version": m.version,
                "stem": m.stem,
                "description": m.description,
                "requires": list(m.requires),
                "risk_level": m.risk_level,
                "data_loss": m.data_loss,
                "leaves": list(m.rollback.header.leaves) if m.rollback else [],
                "files": _files(m),
                "apply": _to_compare(m.apply) if to_roll_back else m.apply.payload(),
                "rollback": _besides(m.rollback, to_adopt),
                "verify": _besides(m.verify, to_roll_back or to_adopt),
                # Preflight has run it, and later steps only look whether it is still that one.
                "precheck": m.precheck.named() if m.precheck else None,
                "sample": _besides(m.sample, to_roll_back or to_adopt),
            }
            for m in map(self.find, versions)
        ]

    def to_adopt(self) -> tuple[list[shapes.Migration], dict[str, str]]:
        """What finding out what is in place needs, JSON-able: only scripts that apply are run, on an empty database.

        Returns:
            The migrations whose script can be run there, in order; and version -> why not, of the others.
        """
        adoptable: list[shapes.Migration] = []
        why: dict[str, str] = {}
        for migration in self.migrations:
            try:
                shared = migration.apply.parse().shared
            except SqlScriptError as error:
                why[migration.version] = error.reason
                continue
            if shared:
                line, command = shared[0]
                why[migration.version] = (
                    f"{migration.apply.name} line {line}: {command} changes what all databases of the server share, and"
                    " so was not tried"
                )
                continue
            unread = [
                script.name
                for script in (migration.rollback, migration.verify)
                if script and not script.sha256
            ]
            if unread:
                why[migration.version] = f"{unread[0]} cannot be read, and what it is has to be recorded too"
                continue
            adoptable += self.payload([migration.version], to_adopt=True)
        return adoptable, why

    def prechecks(self) -> dict[str, shapes.Script]:
        """Version -> what its author wants to hold before anything begins, as far as it can be run; JSON-able."""
        payloads = {}
        for migration in self.migrations:
            # One that cannot be run is among the migration's problems.
            with contextlib.suppress(SqlScriptError):
                if migration.precheck:
                    payloads[migration.version] = migration.precheck.payload()
        return payloads

    def smoke_payload(self) -> list[shapes.Script]:
        """The smoke scripts by name, JSON-able.

        Raises:
            SqlScriptError: see parse_script.
        """
        return [script.payload() for script in self.smoke]


def _to_compare(script: Script) -> shapes.Script:
    """A rollback applies it again to see what it makes by itself; one that cannot be read must not stop it."""
    try:
        return script.payload()
    except SqlScriptError:
        return script.named()


def _besides(script: Script | None, only_named: bool) -> shapes.Script | None:
    if script is None:
        return None
    return script.named() if only_named else script.payload()


def _files(migration: Migration) -> list[str] | None:
    """Schema (may be left out), table and column of the paths that the migration changes."""
    names = migration.apply.header.files
    return list(names) if names else None


def _creates(script: Script) -> dict[str, Any] | None:
    try:
        return script.parse().creates
    except SqlScriptError:
        return None


#: Where there is none that can be read.
NO_LIBRARY = SqlLibrary("", (), (), (), Layout("plain", ""))


def read_sql_library(sql_dir: str | Path, tolerant: bool = False, layout: str = AUTO) -> SqlLibrary:
    """Read a folder of SQL: its migrations, as the layout has them, and smoke/.

    Args:
        tolerant: go on without files that cannot be used. A rollback must not wait until somebody has corrected a
            script that it does not run.
        layout: one of layouts.choice.LAYOUTS, or the word that lets it be found by looking.

    Raises:
        SqlLibraryError: the folder or its migrations are missing or unreadable, a file's name is unusable, files are
            those of another layout, or the requirements form a circle.
        SqlScriptError: a file is not UTF-8 text, or its header states a wrong value or requires a migration
            that the folder does not have.
    """
    root = Path(sql_dir).expanduser().absolute()
    chosen = layout_of(root, layout, tolerant)
    contents = chosen.read(root, tolerant)
    for one in contents.found:
        if one.stem in NAMES_OF_THE_COMMAND and not tolerant:
            raise name_of_the_command(one.apply, one.stem)
    smoke = read_folder(root, "smoke", tolerant=tolerant)
    checks = tuple(replace(script, may_undo_itself=True) for script in smoke.values())
    return SqlLibrary(str(root), _in_order(contents, tolerant), checks, contents.warnings, chosen)


def name_of_the_command(script: Script, stem: str) -> SqlLibraryError:
    """The error for a migration whose name stands for several ones."""
    return SqlLibraryError(
        "script_name_unusable", f"{script.path}: a migration cannot be called {stem!r}; rename it"
    )


def _in_order(contents: Contents, tolerant: bool) -> tuple[Migration, ...]:
    """
    Raises:
        SqlLibraryError: the requirements form a circle.
        SqlScriptError: a migration is required that the folder does not have.
    """
    by_version = {one.version: one for one in contents.found}
    requires = _requirements(by_version, tolerant)
    rank = {version: one.rank for version, one in by_version.items()}
    order = topological_order(requires, rank)
    if len(order) < len(requires) and tolerant:
        order += in_order_of_rank(set(requires) - set(order), rank)
    if len(order) < len(requires):
        silent = {version for version, one in by_version.items() if _stated(one) is None}
        raise cycle_error({v: requires[v] for v in requires if v not in order}, silent)
    place = {version: position for position, version in enumerate(order)}
    return tuple(
        _migration(by_version[version], sorted(requires[version], key=place.__getitem__)) for version in order
    )


def _stated(one: Found) -> tuple[str, ...] | None:
    """What layout or header say that it requires; None where neither says anything."""
    return one.apply.header.requires if one.requires is None else one.requires


def _migration(migration: Found, requires: Iterable[str]) -> Migration:
    return Migration(
        version=migration.version,
        stem=migration.stem,
        number=number_of(migration.stem),
        apply=migration.apply,
        rollback=migration.rollback,
        verify=_check(migration.verify),
        precheck=_check(migration.precheck),
        sample=migration.sample,
        requires=tuple(requires),
        requires_declared=_stated(migration) is not None,
        description=migration.apply.header.description or migration.description,
        rollback_place=migration.rollback_place,
    )


def _check(script: Script | None) -> Script | None:
    return replace(script, may_undo_itself=True) if script else None


def _requirements(by_version: dict[str, Found], tolerant: bool) -> dict[str, list[str]]:
    """As ``requirements``; tolerant, one that requires what there is not has that as its script's problem."""
    while True:
        try:
            return requirements(list(by_version.values()))
        except UnknownRequirement as error:
            if not tolerant:
                raise
            version = next(one.version for one in by_version.values() if one.stem == error.stem)
            script = replace(by_version[version].apply, problem=error)
            by_version[version] = replace(by_version[version], apply=script)
