# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run the real modules of a run one by one, as the action plugin does, without an ansible-playbook around them."""

from __future__ import annotations

import contextlib
import datetime
import importlib
import io
import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.receipts import digest_of_receipt
from ansible_collections.pgops.runbook.plugins.module_utils.step.options import step_argument_spec
from ansible_collections.pgops.runbook.plugins.module_utils.step.step import Step
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.plan import plan_for
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.windows import openings
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.books import books_of
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.library import read_sql_library

from demo.local_server import LocalServer

_numbers = itertools.count(1)

COLLECTIONS = Path(__file__).resolve().parents[2] / "collections"

STEPS_WITH_PROGRAMS = ("preflight", "backup", "verify_restore", "restore", "drill")
STEPS_WITH_ENGINE = (*STEPS_WITH_PROGRAMS, "rehearse", "announce")


def target(server: LocalServer, database: str) -> dict[str, Any]:
    """Connection options of a database of the test server."""
    return {
        "login_host": server.host,
        "login_port": server.port,
        "login_user": server.user,
        "login_password": "",
        "login_db": database,
        "ssl_mode": "prefer",
    }


def script(*statements: str, name: str = "migrations/x.sql") -> dict[str, Any]:
    """A parsed script, one statement a line."""
    return {
        "name": name,
        "sha256": "0" * 64,
        "statements": [
            {"sql": text, "line": line, "column": 1, "kind": text.split()[0]}
            for line, text in enumerate(statements, start=1)
        ],
        "forbids_transaction": [],
        "transaction": None,
        "transaction_blocks": 0,
        "notes": [],
    }


def migration(version: str, apply: list[str], rollback: list[str], verify: list[str] | None = None) -> dict:
    """A migration of the plan."""
    return {
        "version": version,
        "description": f"migration {version}",
        "apply": script(*apply, name=f"migrations/{version}.sql"),
        "rollback": script(*rollback, name=f"rollback/{version}_rollback.sql"),
        "verify": script(*verify, name=f"verify/{version}.sql") if verify else None,
    }


@contextlib.contextmanager
def _as_on_a_host() -> Iterator[None]:
    """Inside, a module answers its warnings, and only its own.

    Where some test has imported what runs on the controller, ansible-core prints them instead; and a process answers
    the warnings of every module that it has run.
    """
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("ansible.module_utils._internal.is_controller", False)
        patched.setattr("ansible.module_utils.common.warnings._global_warnings", {})
        yield


@dataclass
class StepRuns:
    """One database, one SQL folder, and runs in them."""

    server: LocalServer
    database: str
    folder: Path
    playbook: str = "deploy"
    migration: str = "002"
    library_hosts: tuple[str, ...] = ()
    user: str | None = None
    version_table: Any = ""
    connection: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)
    engine: dict[str, Any] = field(default_factory=dict)
    operator: str = ""
    tag: str = ""
    last_receipt: str = ""
    selected: list[str] | None = None
    run_id: str = field(default_factory=lambda: f"20260101T000000Z-test-{next(_numbers):04d}")

    @property
    def sql_dir(self) -> Path:
        return self.folder / "sql"

    @property
    def backups(self) -> Path:
        return self.folder / "backups"

    def write(self, **scripts: str) -> None:
        """Write scripts; ``migrations__002_x`` becomes migrations/002_x.sql."""
        for name, text in scripts.items():
            path = self.sql_dir / f"{name.replace('__', '/', 1)}.sql"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def another(self, playbook: str = "deploy", wanted: str = "002") -> StepRuns:
        """A new run in the same database with the same SQL."""
        return StepRuns(
            self.server,
            self.database,
            self.folder,
            playbook,
            wanted,
            self.library_hosts,
            self.user,
            self.version_table,
            self.connection,
            engine=self.engine,
        )

    def arguments(self, name: str, **options: Any) -> dict[str, Any]:
        """What the action plugin gives to the module of a step."""
        if "window" in options and "openings" not in options:
            now = datetime.datetime.now(datetime.UTC)
            options["openings"] = openings(options["window"], now)
        to_roll_back = self.playbook == "emergency_rollback" or bool(options.get("automatic"))
        library = read_sql_library(self.sql_dir, tolerant=to_roll_back or name == "status")
        everything = [one.version for one in library.migrations]
        whole = name in ("preflight", "status", "approve") or self.migration == "pending"
        plan = plan_for(
            name,
            library,
            self.selected or (everything if whole else [self.migration]),
            with_statements=bool(options.get("adopt")),
            to_roll_back=to_roll_back,
        )
        return {
            "target": {
                **target(self.server, self.database),
                **({"login_user": self.user} if self.user else {}),
                **self.connection,
            },
            "run": {
                "run_id": self.run_id,
                "playbook": self.playbook,
                "migration": self.migration,
                "library_hosts": list(self.library_hosts),
                "operator": self.operator,
                "tag": self.tag,
                "last_receipt": self.last_receipt,
            },
            "plan": {**plan, "books": books_of(self.version_table, library), **self.limits},
            "backup_dir": str(self.backups),
            **({"pg_bindir": self.server.bindir} if name in STEPS_WITH_PROGRAMS else {}),
            **({"engine": self.engine} if self.engine and name in STEPS_WITH_ENGINE else {}),
            **options,
        }

    def start(self, name: str, **options: Any) -> subprocess.Popen:
        """The module of a step in a process of its own, which a test may kill."""
        code = (
            "import importlib, json, sys; from ansible.module_utils.testing import patch_module_args\n"
            f"module = importlib.import_module('ansible_collections.pgops.runbook.plugins.modules.{name}')\n"
            "with patch_module_args(json.load(sys.stdin)):\n    module.main()"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=COLLECTIONS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        process.stdin.write(json.dumps(self.arguments(name, **options)))
        process.stdin.close()
        return process

    def step(self, name: str, **options: Any) -> dict[str, Any]:
        """What the module of a step answers."""
        module = importlib.import_module(f"ansible_collections.pgops.runbook.plugins.modules.{name}")
        return self._answer(module.main, self.arguments(name, **options))

    def work(self, name: str, work: Callable[[Step], Any], **options: Any) -> dict[str, Any]:
        """What a step answers whose work is the test's own, in the frame that every step has."""
        arguments = self.arguments(name, **options)
        known = step_argument_spec()
        others = {option: {"type": "raw"} for option in arguments if option not in known}

        def main() -> None:
            Step(AnsibleModule(argument_spec={**known, **others}), name).execute(work)

        return self._answer(main, arguments)

    def _answer(self, main: Callable[[], None], arguments: dict[str, Any]) -> dict[str, Any]:
        answer = io.StringIO()
        with (
            _as_on_a_host(),
            patch_module_args(json.loads(json.dumps(arguments))),
            contextlib.redirect_stdout(answer),
            pytest.raises(SystemExit),
        ):
            main()
        told = json.loads(answer.getvalue())
        # The controller keeps them, to see whether somebody has changed those of the ledger.
        for receipt in told.get("receipts") or []:
            assert receipt["digest"] == digest_of_receipt(receipt), receipt["step"]
        return told

    def must(self, name: str, **options: Any) -> dict[str, Any]:
        """What the module of a step answers, which must succeed."""
        answer = self.step(name, **options)
        assert not answer.get("failed"), f"{name}: {answer.get('msg')}"
        return answer

    def steps(self, *names: str) -> dict[str, Any]:
        """Run steps that must succeed; the answer of the last one."""
        answer: dict[str, Any] = {}
        for name in names:
            answer = self.must(name)
        return answer

    def up_to(self, last: str) -> dict[str, Any]:
        """A deploy's steps up to and with ``last``."""
        names = ("preflight", "maintenance_window", "backup", "verify_restore", "rehearse", "apply", "verify")
        names = names[: names.index(last) + 1]
        if "apply" not in names:
            return self.steps(*names)
        self.steps(*names[: names.index("apply")])
        for host in self.library_hosts:
            self.check_files(host)
        return self.steps(*names[names.index("apply") :])

    def deploy(self) -> StepRuns:
        """A deploy from its first step to its end; the run."""
        self.up_to("verify")
        self.steps("smoke_test")
        self.conclude()
        return self

    def up_to_rollback(self) -> StepRuns:
        """A rollback's steps before it changes anything; the run."""
        self.steps("preflight")
        self.must("backup", purpose="emergency")
        return self

    def roll_back(self) -> dict[str, Any]:
        """A rollback from its first step to its end; what the step itself answers."""
        self.up_to_rollback()
        answer = self.must("emergency_rollback")
        self.steps("smoke_test")
        self.conclude("rolled_back")
        return answer

    def check_files(self, host: str) -> dict[str, Any]:
        """The look at the files of a host, which are none of this test's subject."""
        library = self.folder / "library"
        library.mkdir(exist_ok=True)
        return self.must(
            "files_check",
            library_host=host,
            library_root=str(library),
            library_state_dir=str(self.folder / "state"),
            accept_missing_files=True,
            accept_paths_elsewhere=True,
        )

    def conclude(self, outcome: str = "deployed") -> None:
        answer = self.step("announce", outcome=outcome)
        assert not answer.get("failed"), answer

    def ask(self, query: str) -> list[tuple]:
        with (
            contextlib.closing(self.server.connect(self.database)) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(query)
            return cursor.fetchall()

    def execute(self, *statements: str) -> None:
        with contextlib.closing(self.server.connect(self.database)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
