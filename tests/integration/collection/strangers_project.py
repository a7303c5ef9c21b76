# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A project of somebody who has only the collection: own migrations, inventory and ansible.cfg, own roles."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from demo.local_server import LocalServer

PROJECT = Path(__file__).resolve().parents[3]

# What a caller's shell may have set and what would lead a test astray.
FOREIGN_VARIABLES = ("ANSIBLE_", "PG", "MOLECULE_", "PYTHON")

SCRIPTS = {
    "migrations/001_shelf.sql": "CREATE TABLE shelf (id serial PRIMARY KEY, label text NOT NULL);\n",
    "rollback/001_shelf_rollback.sql": "DROP TABLE shelf;\n",
    "migrations/002_book.sql": "-- Requires: 001\n"
    "CREATE TABLE book (id serial PRIMARY KEY, shelf int REFERENCES shelf, title text NOT NULL);\n",
    "rollback/002_book_rollback.sql": "DROP TABLE book;\n",
    "verify/002_book.sql": "SELECT to_regclass('book') IS NOT NULL;\n",
    "migrations/003_author.sql": "-- Requires: 002\nALTER TABLE book ADD COLUMN author text;\n",
    "rollback/003_author_rollback.sql": "ALTER TABLE book DROP COLUMN author;\n",
}

# Roles of the project's own that have the names of the runbook's.
DECOY = [
    {"name": "Fail", "ansible.builtin.fail": {"msg": "a role of the project ran instead of the collection's"}}
]
DECOYS = ("announce", "backup", "preflight", "runbook", "status", "variables")


def program(name: str) -> str:
    """Path of a program of Ansible, beside the Python that runs the tests."""
    return str(Path(sys.executable).with_name(name))


def environment() -> dict[str, str]:
    """The caller's variables without those that could name this checkout; no byte code is written."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN_VARIABLES)}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1"}


def files_of(folder: Path) -> dict[str, str]:
    """Digest of every file below a folder, by its path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@dataclass
class Outcome:
    """How one command of the stranger ended."""

    status: int
    output: str

    @property
    def words(self) -> str:
        """The output with all white space as single blanks, since Ansible breaks lines where it likes."""
        return " ".join(self.output.split())


@dataclass
class StrangersProject:
    """A folder with ansible.cfg, inventory, sql/ and roles/; its collections lie in a folder beside it."""

    folder: Path
    collections: Path
    server: LocalServer
    database: str

    def write(self) -> None:
        for name, text in SCRIPTS.items():
            self.write_file(f"sql/{name}", text)
        for role in DECOYS:
            self.write_file(f"roles/{role}/tasks/main.yml", yaml.safe_dump(DECOY))
        self.write_file(
            "ansible.cfg",
            f"[defaults]\ninventory = inventory.yml\nroles_path = roles\ncollections_path = {self.collections}\n"
            "callback_result_format = yaml\n",
        )
        self.write_file("inventory.yml", yaml.safe_dump(self.inventory()))

    def write_file(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def inventory(self) -> dict[str, Any]:
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "db_host": self.server.host,
            "db_port": self.server.port,
            "db_user": self.server.user,
            "pg_bindir": self.server.bindir,
            "backup_dir": str(self.folder / "backups"),
        }
        return {"databases": {"hosts": {"books": {"db_name": self.database}}, "vars": variables}}

    def run(self, name: str, *arguments: str, cwd: Path | None = None, **env: str) -> Outcome:
        """Run a program of Ansible in the project, or in ``cwd``."""
        done = subprocess.run(
            [program(name), *arguments],
            cwd=cwd or self.folder,
            env={**environment(), **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=180,
        )
        return Outcome(done.returncode, done.stdout)

    def play(self, *arguments: str, **options: Any) -> Outcome:
        return self.run("ansible-playbook", *arguments, **options)

    def record(self, folder: Path | None = None) -> dict[str, Any]:
        """run.json of the newest run."""
        path = (folder or self.folder) / "artifacts" / "latest" / "run.json"
        return json.loads(path.read_text(encoding="utf-8"))

    def tables(self) -> list[str]:
        """Columns of the application's tables, as table.column."""
        connection = self.server.connect(self.database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT table_name || '.' || column_name FROM information_schema.columns"
                    " WHERE table_schema = 'public' AND table_name IN ('shelf', 'book') ORDER BY 1"
                )
                return [name for (name,) in cursor.fetchall()]
        finally:
            connection.close()
