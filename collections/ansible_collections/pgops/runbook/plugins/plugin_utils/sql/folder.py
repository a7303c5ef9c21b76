# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading the .sql files of a folder, and what one file is to the runbook."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from ...module_utils import shapes
from ...module_utils.errors import Refused
from .parsed_before import parsed_before
from .script import (
    Header,
    ParsedScript,
    SqlScriptError,
    decode_script,
    header_lines,
    parse_header,
    parse_script,
)

__all__ = [
    "Script",
    "SqlLibraryError",
    "names_in",
    "read_folder",
    "read_script",
    "unusable",
    "unusable_names",
]

_STEM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class SqlLibraryError(Refused):
    """The folder of SQL cannot be used as it is."""


@dataclass(frozen=True)
class Script:
    """One SQL file as it was read, or the part of one that is a script (see layouts.halves).

    Attributes:
        path: absolute.
        name: relative to the SQL folder, with forward slashes.
        text: of a part, with as many lines before it as the file has.
        sha256: of the file's bytes, or of the part; empty where they cannot be read.
        problem: why the file cannot be used, where the reader went on without it.
        part: the line that begins it, of a file that holds several scripts.
        file_sha256: of the whole file, where the script is a part of it.
        may_undo_itself: it is a check, and may end with ROLLBACK.
    """

    path: str
    name: str
    text: str = field(repr=False)
    sha256: str
    header: Header
    problem: SqlScriptError | None = None
    part: str = ""
    file_sha256: str = ""
    may_undo_itself: bool = False

    @cached_property
    def _parsed(self) -> ParsedScript:
        if self.problem is not None:
            raise self.problem
        if self.header.unfinished is not None:
            raise SqlScriptError(
                "script_unfinished",
                f"the script says that it is unfinished ({self.header.unfinished}), and is not run. Write what is"
                ' missing, then take the line "-- Unfinished: ..." out of its header',
                self.path,
                *header_lines(self.text, self.path)["unfinished"],
            )
        how = (self.path, self.may_undo_itself, self.header.batches)
        return parsed_before.get(self.text, lambda: parse_script(self.text, *how), *how)

    def parse(self) -> ParsedScript:
        """The parsed script; parsed once.

        Raises:
            SqlScriptError: see parse_script.
        """
        return self._parsed

    def named(self) -> shapes.Script:
        """The payload without statements, for a script that only has to be told from another one."""
        return {
            "name": self.name,
            "sha256": self.sha256,
            "file_sha256": self.file_sha256 or self.sha256,
            "statements": [],
            "forbids_transaction": [],
            "transaction": self.header.transaction,
            "transaction_blocks": 0,
            "notes": [],
        }

    def payload(self) -> shapes.Script:
        """What a module needs to execute the script, JSON-able.

        Raises:
            SqlScriptError: see parse_script.
        """
        parsed = self.parse()
        return {
            "name": self.name,
            "sha256": self.sha256,
            "file_sha256": self.file_sha256 or self.sha256,
            "statements": [
                {
                    "sql": one.sql,
                    "line": one.line,
                    "column": one.column,
                    "kind": one.kind,
                    "outside_transaction": one.outside_transaction,
                    "object": one.object,
                    "changes_rows": one.changes_rows,
                    "batches": one.batches,
                }
                for one in parsed.statements
            ],
            "forbids_transaction": [list(item) for item in parsed.forbids_transaction],
            "transaction": self.header.transaction,
            "transaction_blocks": parsed.transaction_blocks,
            "notes": list(parsed.notes),
        }


def read_folder(
    root: Path,
    name: str,
    *,
    required: bool = False,
    tolerant: bool = False,
    header: Callable[[str, str], Header] = parse_header,
) -> dict[str, Script]:
    """Stem -> script of every .sql file directly in a folder, sorted by name.

    Args:
        name: of the folder below ``root``; empty for that itself.
        tolerant: a file that cannot be used becomes a script with a problem, which is raised when somebody
            wants to run it; one whose name is unusable is left out.
        header: reads text and path of a script as parse_header does.

    Raises:
        SqlLibraryError: the folder is missing and required, something is unreadable, or a file's
            name is unusable.
        SqlScriptError: a file is not UTF-8 text, or its header states a wrong value.
    """
    scripts = {}
    for file in names_in(root, name, required=required):
        path = root / name / file
        if path.suffix.lower() != ".sql":
            continue
        if not _is_usable(path):
            if tolerant:
                continue
            raise _name_error(path)
        scripts[path.stem] = read_script(root, path, tolerant=tolerant, header=header)
    return scripts


def unusable_names(root: Path, name: str) -> dict[str, SqlLibraryError]:
    """The files directly in a folder that read_folder leaves out, or refuses: path below ``root`` -> why.

    Raises:
        SqlLibraryError: something is unreadable.
    """
    paths = [root / name / file for file in names_in(root, name)]
    return {
        path.relative_to(root).as_posix(): _name_error(path)
        for path in paths
        if path.suffix.lower() == ".sql" and not _is_usable(path)
    }


def _is_usable(path: Path) -> bool:
    return path.suffix == ".sql" and _STEM.fullmatch(path.stem) is not None


def _name_error(path: Path) -> SqlLibraryError:
    return SqlLibraryError(
        "script_name_unusable",
        f"the file name {path.name!r} in {path.parent} cannot be used: it may have letters, digits, '_', '-' and"
        " '.', begins with a letter or digit, and ends with .sql",
    )


def names_in(root: Path, name: str, *, required: bool = False) -> list[str]:
    """Names of all files directly in a folder below ``root``, sorted, without those that begin with a dot.

    Raises:
        SqlLibraryError: the folder is missing and required, or cannot be read.
    """
    folder = root / name
    try:
        root.stat()
        if not required and not folder.exists():
            return []
        # Everything but folders, so that a dangling link is an error and not a script less.
        return sorted(
            path.name for path in folder.iterdir() if not path.name.startswith(".") and not path.is_dir()
        )
    except OSError as error:
        raise SqlLibraryError("sql_dir_unusable", _cannot_read(root, folder, error)) from None


def read_script(
    root: Path,
    path: Path,
    *,
    tolerant: bool = False,
    header: Callable[[str, str], Header] = parse_header,
) -> Script:
    """One file below ``root``; the arguments are those of read_folder.

    Raises:
        SqlLibraryError: it cannot be read.
        SqlScriptError: it is not UTF-8 text, or its header states a wrong value.
    """
    script = Script(str(path), path.relative_to(root).as_posix(), "", "", Header())
    try:
        content = path.read_bytes()
        script = replace(script, sha256=hashlib.sha256(content).hexdigest())
        script = replace(script, text=decode_script(content, str(path)))
        return replace(script, header=header(script.text, str(path)))
    except OSError as error:
        if not tolerant:
            raise SqlLibraryError("sql_dir_unusable", _cannot_read(root, path.parent, error)) from None
        what = f"the file cannot be read ({error.strerror})"
        return replace(script, problem=SqlScriptError("script_unreadable", what, str(path), 1, 1))
    except SqlScriptError as error:
        return unusable(script, error, tolerant)


def unusable(script: Script, error: SqlScriptError, tolerant: bool) -> Script:
    """The script with what is wrong with it as its problem; raises that where the reader is not tolerant."""
    if not tolerant:
        raise error
    return replace(script, problem=error)


def _cannot_read(root: Path, folder: Path, error: OSError) -> str:
    missing = isinstance(error, FileNotFoundError)
    if missing and error.filename == str(root):
        return f"the SQL folder {root} does not exist; set sql_dir to a folder with migrations/"
    if missing and error.filename == str(folder):
        return f"the SQL folder {root} has no {folder.name}/; set sql_dir to the folder that holds it"
    return f"{error.filename or folder} cannot be read ({error.strerror}); check path and permissions"
