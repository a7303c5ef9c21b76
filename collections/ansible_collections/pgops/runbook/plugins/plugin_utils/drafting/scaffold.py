# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files of a new migration: their names, and what stands in them until a person has written them."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from ...module_utils.errors import Refused
from ..sql.found import natural
from ..sql.library import SqlLibrary
from .written import About, header

__all__ = [
    "check_layout",
    "check_name",
    "files_of",
    "migration_named",
    "missing_files",
    "new_stem",
    "templates",
    "write_new",
]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")
_NUMBER = re.compile(r"(?P<digits>\d+)(?P<separator>[_.-])")
#: Numbers that are a time, as Rails and others write them.
_OF_A_TIME = 14
FIRST = "001"


def check_layout(library: SqlLibrary) -> None:
    """
    Raises:
        Refused: its files are those of another tool, which has a command of its own for a new one.
    """
    if library.layout.name != "plain":
        raise Refused(
            "new_migration_refused",
            f"sql_dir has the layout {library.layout.name}, and new files are written in the layout plain"
            " only. Nothing was"
            f" written. Make them with {library.layout.name}'s own command.",
        )


def check_name(name: str) -> str:
    """The name of a new migration, which becomes part of file names.

    Raises:
        Refused: it cannot.
    """
    if not _NAME.fullmatch(name) or name.lower().endswith("_rollback") or name in ("all", "pending"):
        text = name
        shown = text if len(text) <= 80 else text[:77] + "..."
        raise Refused(
            "new_migration_refused",
            f"name={shown!r} cannot be the name of a migration: it begins with a letter, has letters,"
            " digits and '_', at"
            " most 80, does not end with _rollback, and is neither all nor pending, as in -e name=add_tags. The number"
            " comes by itself. Nothing was written.",
        )
    return name


def migration_named(library: SqlLibrary, name: str) -> str | None:
    """Stem of the migration that has the name already, whatever its number."""
    stems = [migration.stem for migration in library.migrations]
    return next((stem for stem in stems if _NUMBER.sub("", stem, count=1) == name or stem == name), None)


def new_stem(stems: Iterable[str], name: str, now: datetime) -> str:
    """The name of the next migration, numbered as those are that there are.

    Args:
        stems: of the migrations that there are.
        now: in UTC, for those that are numbered by the time.
    """
    numbered = [(int(match["digits"]), match) for stem in stems if (match := _NUMBER.match(stem))]
    if not numbered:
        return f"{FIRST}_{name}"
    number, last = max(numbered, key=lambda one: (one[0], natural(one[1][0])))
    digits = last["digits"]
    if len(digits) == _OF_A_TIME and not digits.startswith("0"):
        following = f"{max(int(now.strftime('%Y%m%d%H%M%S')), number + 1)}"
    else:
        following = f"{number + 1:0{len(digits)}d}"
    return f"{following}{last['separator']}{name}"


def files_of(stem: str) -> dict[str, str]:
    """Kind of file -> its path below sql_dir."""
    return {
        "migration": f"migrations/{stem}.sql",
        "rollback": f"rollback/{stem}_rollback.sql",
        "precheck": f"precheck/{stem}.sql",
        "verify": f"verify/{stem}.sql",
    }


def templates(about: About) -> dict[str, str]:
    """Kind of file -> text; each is marked as unfinished but the precheck, which as it is asks nothing."""
    described = about.description or about.stem
    said = [("Created", about.date), ("Author", about.author)]
    requires = ", ".join(about.requires or ()) or "none"

    def top(description: str, unfinished: str) -> str:
        facts = [
            ("Description", description),
            *said,
            ("Unfinished", unfinished),
            ("Risk Level", "LOW"),
            ("Data Loss", "NONE"),
            ("Requires", requires),
            ("Transaction", "one"),
        ]
        return "\n".join(header(about, facts))

    return {
        "migration": _MIGRATION.format(top=top(described, "write the migration, then take this line out")),
        "rollback": _ROLLBACK.format(
            top=top(f"Takes back {about.stem}.", TO_BE_WRITTEN), version=about.version
        ),
        "precheck": _PRECHECK.format(stem=about.stem),
        "verify": _VERIFY.format(stem=about.stem, version=about.version, unfinished=TO_BE_WRITTEN),
    }


TO_BE_WRITTEN = "write it, or delete this file and have it drafted"

_MIGRATION = """\
{top}

BEGIN;

-- Statements here. A lock is held until COMMIT: make indexes of large tables
-- CONCURRENTLY, in a migration of their own with -- Transaction: none.

COMMIT;
"""

_ROLLBACK = """\
{top}

BEGIN;

-- In reverse order of the migration, without IF EXISTS and without CASCADE: what
-- is not there, or on which others rest, should stop the rollback.
--
-- 1. Views:        DROP VIEW ...;
-- 2. Triggers:     DROP TRIGGER ... ON ...;
-- 3. Functions:    DROP FUNCTION ...(...);
-- 4. Indexes:      DROP INDEX ...;
-- 5. Constraints:  ALTER TABLE ... DROP CONSTRAINT ...;
-- 6. Columns:      ALTER TABLE ... DROP COLUMN ...;
-- 7. Tables:       DROP TABLE ...;
-- 8. Types:        DROP TYPE ...;
--
-- The record in schema_migrations is kept by the runbook.
-- To have it drafted, delete this file, and type
-- ansible-playbook playbooks/new_migration.yml -e migration={version}

COMMIT;
"""

_PRECHECK = """\
-- What has to hold in production before {stem} begins.
--
-- It is asked before anything is touched, and can only read. It fails by an error,
-- or by a row whose first column is false; without a statement nothing is asked:
--
-- SELECT count(*) = 0, 'rows without a name', count(*) FROM ... WHERE name IS NULL;
"""

_VERIFY = """\
-- Verifies {stem}.
--
-- Unfinished: {unfinished}
--
-- To have it drafted, delete this file, and type
-- ansible-playbook playbooks/new_migration.yml -e migration={version}
-- It fails by an error, or by a row whose first column is false:
--
-- SELECT to_regclass('...') IS NOT NULL;
"""


def write_new(root: Path, texts: Mapping[str, str]) -> list[str]:
    """Write files that are not there, all of them or none.

    Args:
        root: the folder of SQL.
        texts: path below it -> text.

    Raises:
        Refused: one is there, or cannot be written.
    """
    written: list[Path] = []
    try:
        for name, text in texts.items():
            path = root / name
            path.parent.mkdir(exist_ok=True)
            _write(path, text)
            written.append(path)
    except OSError as error:
        for path in written:
            with contextlib.suppress(OSError):
                path.unlink()
        there = isinstance(error, FileExistsError)
        why = "it is there already" if there else error.strerror
        raise Refused(
            "new_migration_refused", f"{root / name} cannot be written: {why}. Nothing was written."
        ) from None
    return [str(path) for path in written]


def _write(path: Path, text: str) -> None:
    """Write a whole file under a name that nobody has; a killed process leaves none by that name.

    Raises:
        OSError: it is there, even as a link to nothing, or cannot be written.
    """
    beside = path.parent / f".{path.name}.{secrets.token_hex(4)}"
    try:
        with beside.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def missing_files(root: Path, stem: str, kinds: Sequence[str]) -> dict[str, str]:
    """Kind -> path below ``root``, of the files that are not there."""
    return {
        kind: name
        for kind, name in files_of(stem).items()
        if kind in kinds and not os.path.lexists(root / name)
    }
