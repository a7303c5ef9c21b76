# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Real modules, one process each, as a run of a playbook starts them; without ansible-playbook around them."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.pgops.runbook.plugins.plugin_utils.run.plan import plan_for
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.library import read_sql_library

from benchmarks.library_database import target_of
from demo.local_server import LocalServer

__all__ = ["ModuleRun"]

PROJECT = Path(__file__).resolve().parent.parent

CODE = """
import importlib, json, sys
from ansible.module_utils.testing import patch_module_args
module = importlib.import_module("ansible_collections.pgops.runbook.plugins.modules." + sys.argv[1])
with patch_module_args(json.load(sys.stdin)):
    module.main()
"""

STEPS_WITH_PROGRAMS = ("preflight", "backup", "verify_restore", "restore")


@dataclass
class ModuleRun:
    """A run of one playbook in one database of the server.

    Args:
        server: LocalServer.
        folder: holds the backups, and in ``sql`` the migrations.
    """

    server: LocalServer
    database: str
    folder: Path
    run_id: str
    playbook: str
    migration: str = ""

    def step(self, name: str, **options: Any) -> dict[str, Any]:
        """The outputs of a step.

        Raises:
            RuntimeError: it failed, with its reason.
        """
        library = read_sql_library(self.folder / "sql")
        versions = [one.version for one in library.migrations]
        plan = plan_for(name, library, versions)
        arguments = {
            "target": target_of(self.server, self.database),
            "run": {"run_id": self.run_id, "playbook": self.playbook, "migration": self.migration},
            "plan": plan,
            "backup_dir": str(self.folder / "backups"),
            **({"pg_bindir": self.server.bindir} if name in STEPS_WITH_PROGRAMS else {}),
            **options,
        }
        done = subprocess.run(
            [sys.executable, "-c", CODE, name],
            cwd=PROJECT / "collections",
            input=json.dumps(arguments),
            capture_output=True,
            text=True,
            check=False,
        )
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            raise RuntimeError(f"{name}: {done.stderr.strip()[-500:]}") from None
        if answer.get("failed"):
            raise RuntimeError(f"{name}: {answer['msg']}")
        return answer["outputs"]
