# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading the .sql files of a folder, and what one file is to the runbook."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ...module_utils import shapes
from ...module_utils.errors import Refused
from .script import Header, ParsedScript, SqlScriptError, decode_script, parse_header, parse_script

__all__ = ["Script", "SqlLibraryError", "read_folder"]

_STEM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class SqlLibraryError(Refused):
    """The folder of SQL cannot be used as it is."""


@dataclass(frozen=True)
class Script:
    """One SQL file as it was read.

    Attributes:
        path: absolute.
        name: relative to the SQL folder, with forward slashes.
        sha256: of the file's bytes; empty where they cannot be read.
        problem: why the file cannot be used, where the reader went on without it.
    """

    path: str
    name: str
    text: str = field(repr=False)
    sha256: str
    header: Header
    problem: SqlScriptError | None = None

    @cached_property
    def _parsed(self) -> ParsedScript:
        if self.problem is not None:
            raise self.problem
        return parse_script(self.text, self.path)

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
            "statements": [
                {
                    "sql": one.sql,
                    "line": one.line,
                    "column": one.column,
                    "kind": one.kind,
                    "alone": one.alone,
                    "object": one.object,
                    "changes_rows": one.changes_rows,
                }
                for one in parsed.statements
            ],
            "forbids_transaction": [list(item) for item in parsed.forbids_transaction],
            "transaction": self.header.transaction,
            "transaction_blocks": parsed.transaction_blocks,
            "notes": list(parsed.notes),
        }


def read_folder(
    root: Path, name: str, *, required: bool = False, tolerant: bool = False
) -> dict[str, Script]:
    """Stem -> script of every .sql file directly in a folder, sorted by name.

    Args:
        tolerant: a file that cannot be used becomes a script with a problem, which is raised when somebody
            wants to run it; one whose name is unusable is left out.

    Raises:
        SqlLibraryError: the folder is missing and required, something is unreadable, or a file's
            name is unusable.
        SqlScriptError: a file is not UTF-8 text, or its header states a wrong value.
    """
    folder = root / name
    try:
        root.stat()
        if not required and not folder.exists():
            return {}
        # Everything but folders, so that a dangling link is an error and not a script less.
        entries = sorted(folder.iterdir())
        files = [path for path in entries if path.suffix.lower() == ".sql" and not path.is_dir()]
    except OSError as error:
        raise SqlLibraryError("sql_dir_unusable", _cannot_read(root, folder, error)) from None
    scripts = {}
    for path in files:
        if path.name.startswith("."):
            continue
        if path.suffix != ".sql" or not _STEM.fullmatch(path.stem):
            if tolerant:
                continue
            raise SqlLibraryError(
                "script_name_unusable",
                f"the file name {path.name!r} in {folder} cannot be used: it may have letters, digits, '_', '-' and"
                " '.', begins with a letter or digit, and ends with .sql",
            )
        scripts[path.stem] = _read_script(root, folder, path, tolerant)
    return scripts


def _read_script(root: Path, folder: Path, path: Path, tolerant: bool) -> Script:
    text, digest, problem = "", "", None
    try:
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        text = decode_script(content, str(path))
        header = parse_header(text, str(path))
    except OSError as error:
        if not tolerant:
            raise SqlLibraryError("sql_dir_unusable", _cannot_read(root, folder, error)) from None
        problem = SqlScriptError(
            "script_unreadable", f"the file cannot be read ({error.strerror})", str(path), 1, 1
        )
    except SqlScriptError as error:
        if not tolerant:
            raise
        problem = error
    return Script(
        path=str(path),
        name=f"{folder.name}/{path.name}",
        text=text,
        sha256=digest,
        header=header if problem is None else Header(),
        problem=problem,
    )


def _cannot_read(root: Path, folder: Path, error: OSError) -> str:
    missing = isinstance(error, FileNotFoundError)
    if missing and error.filename == str(root):
        return f"the SQL folder {root} does not exist; set sql_dir to a folder with migrations/"
    if missing and error.filename == str(folder):
        return f"the SQL folder {root} has no {folder.name}/; set sql_dir to the folder that holds it"
    return f"{error.filename or folder} cannot be read ({error.strerror}); check path and permissions"
