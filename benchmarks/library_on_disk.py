# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A library of real files and the database that knows them, at the point where files are to follow the database."""

from __future__ import annotations

import contextlib
import importlib
import io
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.testing import patch_module_args
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.ledger import Ledger
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.receipts import DEPLOY_STEPS
from ansible_collections.pgops.runbook.plugins.module_utils.library.follow import PathsBefore
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import server_identity
from ansible_collections.pgops.runbook.plugins.module_utils.shapes import Cursor

from benchmarks.library_database import target_of
from demo.local_server import LocalServer

__all__ = ["LibraryOnDisk"]

PROJECT = Path(__file__).resolve().parent.parent
PROGRAM = "from ansible_collections.pgops.runbook.plugins.modules import files_rename; files_rename.main()"
_numbers = itertools.count(1)


class LibraryOnDisk:
    """Table files, a folder with a file for each of its rows, and runs of the module files_rename on both.

    Each file holds its first path, so that the one that lies under a name can be told from any other.

    Args:
        server, database: a database; what an earlier library has left in it is dropped.
        folder: an empty folder for library, state and all.
        names: paths below the library, as the database has them at first.
    """

    def __init__(self, server: LocalServer, database: str, folder: Path, names: list[str]) -> None:
        self.server, self.database, self.folder = server, database, folder
        self.root = folder / "library"
        self.root.mkdir(parents=True)
        self.state = folder / "state"
        with self.transaction() as cursor:
            cursor.execute("DROP SCHEMA IF EXISTS runbook CASCADE")
            cursor.execute("DROP TABLE IF EXISTS files")
            Ledger().create(cursor)
            cursor.execute(
                "CREATE TABLE files (id bigserial PRIMARY KEY, filepath text NOT NULL, content text)"
            )
            cursor.execute(
                "INSERT INTO files (filepath, content) SELECT %s || '/' || name, name FROM unnest(%s) AS name",
                (str(self.root), names),
            )
        for name in names:
            self.write(name)

    def write(self, name: str, content: str | None = None) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content or name, encoding="utf-8")

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Cursor]:
        with (
            contextlib.closing(self.server.connect(self.database)) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            yield cursor

    def execute(self, statement: str, parameters: Any = None) -> list[tuple]:
        with self.transaction() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    # What a deploy or a rollback does in the database -------------------------------------------------------

    def open_run(self, playbook: str = "deploy", migration: str = "rename") -> str:
        """A run whose steps before files_rename have left their receipts."""
        run_id = f"20260101T000000Z-files-{next(_numbers):05d}"
        steps = ["preflight", "emergency_backup", "emergency_rollback"]
        if playbook == "deploy":
            steps = list(DEPLOY_STEPS)
        with self.transaction() as cursor:
            cursor.execute(
                "UPDATE runbook.run SET finished = now(), outcome = 'failed' WHERE finished IS NULL"
            )
            ledger, identity = Ledger(), server_identity(cursor)
            ledger.open_run(cursor, run_id, playbook, [migration], "test", {})
            for step in steps:
                ledger.append(
                    cursor,
                    run_id,
                    step,
                    "ok",
                    "2026-01-01T00:00:00.000000Z",
                    identity,
                    outputs={"migrations": [migration]} if step == "preflight" else {},
                )
        return run_id

    def change_paths(self, statement: str, parameters: Any = None, direction: str = "deploy") -> str:
        """Change paths as a migration (or its rollback) does; returns the name of the run."""
        run_id = self.open_run("deploy" if direction == "deploy" else "emergency_rollback")
        with self.transaction() as cursor:
            before = PathsBefore(cursor, ["files", "filepath"])
            cursor.execute(statement, parameters)
            before.record_changes(cursor, run_id, "rename", direction)
        self.run_id, self.playbook = run_id, "deploy" if direction == "deploy" else "emergency_rollback"
        return run_id

    def rename(self, pairs: Mapping[str, str], direction: str = "deploy") -> None:
        """Give rows other paths in one statement, swaps and circles too."""
        self.change_paths(
            "UPDATE files SET filepath = p.new FROM unnest(%s, %s) AS p(old, new) WHERE filepath = p.old",
            (
                [f"{self.root}/{name}" for name in pairs],
                [f"{self.root}/{name}" for name in pairs.values()],
            ),
            direction,
        )

    # The module ---------------------------------------------------------------------------------------------

    def arguments(self, **options: Any) -> dict[str, Any]:
        return {
            "target": target_of(self.server, self.database),
            "run": {
                "run_id": self.run_id,
                "playbook": self.playbook,
                "migration": "rename",
                "library_hosts": ["media1"],
            },
            "library_host": "media1",
            "library_root": str(self.root),
            "library_state_dir": str(self.state),
            **options,
        }

    def follow(self, **options: Any) -> dict[str, Any]:
        """What the module answers."""
        module = importlib.import_module("ansible_collections.pgops.runbook.plugins.modules.files_rename")
        answer = io.StringIO()
        with (
            patch_module_args(json.loads(json.dumps(self.arguments(**options)))),
            contextlib.redirect_stdout(answer),
            contextlib.suppress(SystemExit),
        ):
            module.main()
        return json.loads(answer.getvalue())

    def start_following(self, **options: Any) -> subprocess.Popen:
        """Start the module as a process of its own, which can be killed."""
        wanted = self.folder / "arguments.json"
        wanted.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": self.arguments(**options)}), encoding="utf-8")
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(wanted)],
            env={**os.environ, "PYTHONPATH": str(PROJECT / "collections")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def followed(self, **options: Any) -> dict[str, Any]:
        """The outputs of a call that must succeed, after which rows and files must agree."""
        answer = self.follow(**options)
        assert not answer.get("failed"), answer["msg"]
        assert self.paths() <= self.names().keys(), "a row has no file"
        return answer["outputs"]

    # What is there ------------------------------------------------------------------------------------------

    def names(self) -> dict[str, str]:
        """Path below the library -> content of every file."""
        return {
            str(path.relative_to(self.root)): path.read_text(encoding="utf-8")
            for path in self.root.rglob("*")
            if path.is_file()
        }

    def disagreement(self) -> str | None:
        """What is wrong, in a sentence: a row without its own file, or a file without a row."""
        found = self.names()
        for number, path, content in self.execute("SELECT id, filepath, content FROM files"):
            name = path.removeprefix(f"{self.root}/")
            if found.pop(name, None) != content:
                return f"row {number} has not its own file at {name}"
        return f"{len(found)} files without a row, {min(found)} among them" if found else None

    def waits(self) -> bool:
        """Whether the ledger knows of changes that the files have not followed."""
        return bool(self.execute("SELECT 1 FROM runbook.path_change_set WHERE closed IS NULL"))

    def journals(self) -> list[Path]:
        """The journals that tell of renames still to be ended."""
        return [path for path in self.state.glob("*.journal") if not path.name.endswith("-last.journal")]

    def lay_anew(self) -> None:
        """Make the files that the rows ask for, whatever lies there now, and forget what was to be done."""
        shutil.rmtree(self.root)
        shutil.rmtree(self.state)
        self.execute("UPDATE runbook.path_change_set SET closed = now()")
        for path, content in self.execute("SELECT filepath, content FROM files"):
            self.write(path.removeprefix(f"{self.root}/"), content)

    def paths(self) -> set[str]:
        """Paths of the rows below the library."""
        return {path.removeprefix(f"{self.root}/") for (path,) in self.execute("SELECT filepath FROM files")}
