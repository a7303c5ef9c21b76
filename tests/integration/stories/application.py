# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A small application: its SQL folder with sound and unsound migrations, its database, and runs on it."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from demo.local_server import LocalServer
from tests.record_schema import check_record
from tests.warm_ansible import WarmAnsible

PROJECT = Path(__file__).resolve().parents[3]

# What a caller's shell may have set and what would lead a test astray.
FOREIGN_VARIABLES = ("ANSIBLE_", "PG", "MOLECULE_")

SCRIPTS = {
    "migrations/001_notes.sql": "CREATE TABLE notes (id serial PRIMARY KEY, body text NOT NULL);\n",
    "rollback/001_notes_rollback.sql": "DROP TABLE notes;\n",
    "migrations/002_author.sql": "-- Requires: 001\nALTER TABLE notes ADD COLUMN author text;\n",
    "rollback/002_author_rollback.sql": "ALTER TABLE notes DROP COLUMN author;\n",
    "verify/002_author.sql": "SELECT count(author) = 0 FROM notes;\n",
    "migrations/003_tag.sql": "-- Requires: 001\nCREATE TABLE tag (name text PRIMARY KEY);\n",
    "rollback/003_tag_rollback.sql": "DROP TABLE tag;\n",
    "migrations/004_after_tag.sql": "-- Requires: 003\nALTER TABLE tag ADD COLUMN colour text;\n",
    "rollback/004_after_tag_rollback.sql": "ALTER TABLE tag DROP COLUMN colour;\n",
    "migrations/010_syntax.sql": "-- Requires: 001\nSELECT 1;\nCREATE TABLE broken (\n  id integr primary kee\n);\n",
    "rollback/010_syntax_rollback.sql": "DROP TABLE broken;\n",
    "migrations/011_no_rollback.sql": "-- Requires: 001\nCREATE TABLE eleven (id int);\n",
    "migrations/012_empty_rollback.sql": "-- Requires: 001\nCREATE TABLE twelve (id int);\n",
    "rollback/012_empty_rollback_rollback.sql": "-- nothing yet\n",
    "migrations/013_fails.sql": "-- Requires: 001\n\nALTER TABLE notes ADD CHECK (length(body) < 4);\n",
    "rollback/013_fails_rollback.sql": "ALTER TABLE notes DROP CONSTRAINT notes_body_check;\n",
    "migrations/014_meta.sql": "-- Requires: 001\n\\i other.sql\n",
    "rollback/014_meta_rollback.sql": "SELECT 1;\n",
    "migrations/015_forgetful.sql": "-- Requires: 001\nCREATE TABLE kept (id int);\nCREATE TABLE forgotten (id int);\n",
    "rollback/015_forgetful_rollback.sql": "DROP TABLE kept;\n",
    "migrations/016_a.sql": "-- Requires: 001\nCREATE TABLE sixteen_a (id int);\n",
    "rollback/016_a_rollback.sql": "DROP TABLE sixteen_a;\n",
    "migrations/016_b.sql": "-- Requires: 001\nCREATE TABLE sixteen_b (id int);\n",
    "rollback/016_b_rollback.sql": "DROP TABLE sixteen_b;\n",
    "migrations/018_upper.sql": "-- Requires: 001\nUPDATE notes SET body = upper(body);\n",
    "rollback/018_upper_rollback.sql": "UPDATE notes SET body = lower(body);\n",
    "migrations/017_outside.sql": "-- Requires: 001\nCREATE DATABASE elsewhere;\n",
    "rollback/017_outside_rollback.sql": "SELECT 1;\n",
}

# The database as its owner left it: 001 in place and recorded in a table of the application's own.
PREPARED = """
    CREATE TABLE schema_migrations (version varchar(255) PRIMARY KEY, description text,
                                    applied_at timestamptz NOT NULL DEFAULT '2026-01-01');
    INSERT INTO schema_migrations VALUES ('001', 'notes');
    CREATE TABLE notes (id serial PRIMARY KEY, body text NOT NULL);
    INSERT INTO notes (body) VALUES ('first'), ('zweite Zeile äöü'), ('it''s "quoted"'), ('');
"""


# Read when Ansible or Python starts, which a process that was forked has behind it.
READ_AT_ITS_START = ("ANSIBLE_", "PYTHON", "LANG", "LC_", "TERM", "COLUMNS")


def own_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN_VARIABLES)}


@functools.cache
def warm_ansible() -> WarmAnsible:
    """One for all tests of this process."""
    return WarmAnsible(own_environment())


def write_scripts(folder: Path) -> Path:
    for name, text in SCRIPTS.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def write_scripts_of_a_failed_rollback(folder: Path) -> Path:
    """Scripts of which 002 fails after its COMMIT, and so does its rollback, in production alone."""
    for name, text in {
        "migrations/001_notes.sql": "CREATE TABLE notes (id serial PRIMARY KEY, body text NOT NULL);",
        "rollback/001_notes_rollback.sql": "DROP TABLE notes;",
        "migrations/002_author.sql": "ALTER TABLE notes ADD COLUMN author text;",
        # Fails in the database that is called as the application's own, so not on the copy.
        "rollback/002_author_rollback.sql": (
            "DO $$ BEGIN IF current_database() NOT LIKE 'runbook%' THEN RAISE 'the rollback fails'; END IF; END $$;"
            " ALTER TABLE notes DROP COLUMN author;"
        ),
        # Holds in the applying transaction and not after it.
        "verify/002_author.sql": (
            "SELECT current_database() LIKE 'runbook%' OR EXISTS (SELECT FROM pg_locks WHERE"
            " mode = 'AccessExclusiveLock' AND pid = pg_backend_pid());"
        ),
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def prepare(server: LocalServer, database: str) -> None:
    """Fill an empty database with the application as it stands after 001."""
    with (
        contextlib.closing(server.connect(database)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(PREPARED)


def contents(server: LocalServer, database: str, *, ledger: bool = True) -> tuple[str, str, tuple[Any, ...]]:
    """Everything that can be seen of a database: schema, rows and the server's databases.

    Args:
        ledger: whether the runbook's own schemas count.
    """
    dump = [
        str(Path(server.bindir, "pg_dump")),
        *(f"--host={server.host}", f"--port={server.port}", f"--username={server.user}"),
        *("--restrict-key=0", f"--dbname={database}"),
        *(() if ledger else ("--exclude-schema=runbook", "--exclude-schema=runbook_salvage")),
    ]
    schema = subprocess.run([*dump, "--schema-only"], capture_output=True, text=True, check=True).stdout
    rows = subprocess.run([*dump, "--data-only"], capture_output=True, text=True, check=True).stdout
    with contextlib.closing(server.connect("postgres")) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE 'runbook%'")
        return schema, rows, tuple(cursor.fetchall())


def inventory_as_typed(folder: Path) -> str:
    """What each command that is told has for the inventory of these tests; test_typed_here.py types it."""
    return f" -i {folder / 'inventory.yml'}"


@dataclass
class Run:
    """How one ansible-playbook ended."""

    status: int
    output: str
    artifacts: Path

    @property
    def record(self) -> dict[str, Any]:
        """run.json of the newest run, which is as the schema says."""
        text = (self.artifacts / "latest" / "run.json").read_text(encoding="utf-8")
        content = json.loads(text.replace(inventory_as_typed(self.artifacts.parent), ""))
        check_record(content)
        return content

    def step(self, name: str) -> dict[str, Any]:
        """The entry of a step; KeyError when it did not run."""
        return {step["step"]: step for step in self.record["steps"]}[name]

    def receipt(self, step: str) -> dict[str, Any]:
        """The mirrored receipt of a step."""
        (path,) = (self.artifacts / "latest" / "receipts").glob(f"*_{step}.json")
        return json.loads(path.read_text(encoding="utf-8"))


@dataclass
class Application:
    """Playbook runs on one or more databases, with inventory, artifacts and backups in a folder of their own."""

    server: LocalServer
    folder: Path
    sql_dir: Path
    databases: list[str]
    variables: dict[str, Any] = field(default_factory=dict)

    @property
    def artifacts(self) -> Path:
        return self.folder / "artifacts"

    @property
    def backups(self) -> Path:
        return self.folder / "backups"

    def start(
        self, playbook: str, *arguments: str, env: dict[str, str] | None = None, **variables: Any
    ) -> Any:
        """Start ansible-playbook; ``variables`` go into the inventory, for all hosts."""
        inventory = self._write_inventory(variables)
        command = ["-i", str(inventory), playbook, *arguments]
        environment = {**own_environment(), **(env or {})}
        if not any(name.startswith(READ_AT_ITS_START) for name in env or ()):
            return warm_ansible().start(command, environment)
        return subprocess.Popen(
            [str(Path(sys.executable).with_name("ansible-playbook")), *command],
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _write_inventory(self, variables: dict[str, Any]) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        inventory = self.folder / "inventory.yml"
        shared = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "db_host": self.server.host,
            "db_port": self.server.port,
            "db_user": self.server.user,
            "pg_bindir": self.server.bindir,
            "sql_dir": str(self.sql_dir),
            "backup_dir": str(self.backups),
            "artifacts_dir": str(self.artifacts),
            **self.variables,
            **variables,
        }
        hosts = {name: {"db_name": variables.get("db_name", name)} for name in self.databases}
        shared.pop("db_name", None)
        inventory.write_text(
            yaml.safe_dump({"databases": {"hosts": hosts, "vars": shared}}), encoding="utf-8"
        )
        return inventory

    def finish(self, process: subprocess.Popen) -> Run:
        output, _ = process.communicate(timeout=900)
        return Run(process.returncode, output.replace(inventory_as_typed(self.folder), ""), self.artifacts)

    def run(
        self,
        playbook: str,
        *arguments: str,
        env: dict[str, str] | None = None,
        login: str = "",
        **variables: Any,
    ) -> Run:
        """Run a playbook to its end.

        Args:
            env: what the environment has besides.
            login: whose command it is; without one, of who runs the tests.
        """
        environment = {**(env or {}), **({"SUDO_USER": login} if login else {})}
        return self.finish(self.start(playbook, *arguments, env=environment, **variables))

    def deploy(self, migration: str, *arguments: str, **options: Any) -> Run:
        return self.run("deploy.yml", "-e", f"migration={migration}", *arguments, **options)

    def contents(self, *, ledger: bool = True) -> list[Any]:
        return [contents(self.server, database, ledger=ledger) for database in self.databases]
