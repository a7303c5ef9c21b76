# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""One payload has the code of all steps, and each is executed out of it, as ansible-core itself has packed it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.steps import (
    announce,
    apply,
    approval,
    approve,
    backup,
    cleanup,
    count_rows,
    drill,
    emergency_rollback,
    files_check,
    files_rename,
    history,
    maintenance_window,
    new_migration,
    preflight,
    rehearse,
    rehearse_from_empty,
    restore,
    salvage,
    smoke_test,
    status,
    swap,
    verify,
    verify_restore,
)

from tests.unit.test_imported import imported_with
from tests.unit.test_rooms import MODULES, PLUGINS, PROJECT

STEPS = {
    module.__name__.rpartition(".")[-1]: module
    for module in (
        *(announce, apply, approval, approve, backup, cleanup, count_rows, drill),
        *(emergency_rollback, files_check, files_rename),
        *(
            history,
            maintenance_window,
            new_migration,
            preflight,
            rehearse,
            rehearse_from_empty,
            restore,
            salvage,
            smoke_test,
        ),
        *(status, swap, verify, verify_restore),
    )
}

PASSWORD = "correct-horse-battery-staple"

# No server listens on port 1, so that a step ends where it wants to connect.
OPTIONS = {
    "target": {"login_db": "books", "login_host": "127.0.0.1", "login_port": 1, "login_password": PASSWORD},
    "run": {"run_id": "20260101T000000Z-test-0001", "playbook": "deploy"},
}
OF_FILES = {"library_host": "media1", "library_root": "/nowhere"}
OF_STEPS = {"files_check": OF_FILES, "files_rename": OF_FILES}


@dataclass
class Payload:
    """What ansible-core sends to a target, taken apart.

    Args:
        program: what the target is sent to execute.
        told: what ansible-core wrote on the screen meanwhile.
    """

    program: Path
    told: str

    @property
    def folder(self) -> Path:
        return self.program.parent / "debug_dir"

    def files(self) -> set[str]:
        """Dotted names below plugins of the files in it."""
        plugins = self.folder / "ansible_collections/pgops/runbook/plugins"
        return {".".join(path.relative_to(plugins).with_suffix("").parts) for path in plugins.rglob("*.py")}

    def execute(self, module: str, **options: Any) -> tuple[dict[str, Any], set[str]]:
        """What it answers as this module, and the dotted names below plugins that it imports."""
        arguments = {"_ansible_module_name": module, **OPTIONS, **options}
        (self.folder / "args").write_text(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-v", str(self.program), "execute"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr
        assert PASSWORD not in done.stdout
        imported = re.findall(
            r"^import 'ansible_collections\.pgops\.runbook\.plugins\.([\w.]+)'", done.stderr, re.M
        )
        return json.loads(done.stdout), set(imported)


@pytest.fixture(scope="module")
def payload(tmp_path_factory: pytest.TempPathFactory) -> Payload:
    """As it is sent by a task that calls pgops.runbook.status, and kept on the host."""
    folder = tmp_path_factory.mktemp("host")
    arguments = {**OPTIONS, "run": {"playbook": "status", "artifacts_dir": str(folder / "artifacts")}}
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible")),
            *(
                "localhost",
                "-i",
                "localhost,",
                "-c",
                "local",
                "-e",
                f"ansible_python_interpreter={sys.executable}",
            ),
            *("-vvv", "-m", "pgops.runbook.status", "-a", json.dumps(arguments)),
        ],
        cwd=PROJECT,
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
            "ANSIBLE_KEEP_REMOTE_FILES": "true",
            "ANSIBLE_REMOTE_TEMP": str(folder),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    (program,) = folder.rglob("AnsiballZ_*.py")
    subprocess.run([sys.executable, str(program), "explode"], check=True, capture_output=True)
    return Payload(program, done.stdout + done.stderr)


def test_it_has_the_code_of_every_step_with_all_that_it_imports(payload: Payload) -> None:
    steps = {path.stem for path in (PLUGINS / "module_utils/steps").glob("*.py")}
    assert steps == set(STEPS)
    needed = set().union(*(imported_with(f"module_utils.steps.{name}") for name in STEPS))
    assert payload.files() >= needed | {f"module_utils.steps.{name}" for name in STEPS}


@pytest.mark.parametrize("name", STEPS)
def test_each_step_is_executed_out_of_it_and_imports_only_what_it_works_with(
    payload: Payload, name: str
) -> None:
    answer, imported = payload.execute(f"pgops.runbook.{name}", **OF_STEPS.get(name, {}))
    assert (answer["step"], answer["reason_code"]) == (name, "server_unreachable"), answer
    own = f"module_utils.steps.{name}"
    assert own in imported
    assert imported & MODULES <= imported_with(own) | {own}


def test_what_the_task_was_told_names_its_own_module_and_no_password(payload: Payload) -> None:
    answer, _ = payload.execute("pgops.runbook.status", nonsense=1)
    assert "Unsupported parameters for (pgops.runbook.status) module: nonsense." in answer["msg"]
    assert "login_password: VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" in payload.told
    assert PASSWORD not in payload.told


@pytest.mark.parametrize("module", ["pgops.runbook.demolish", "pgops.runbook.step", "pgops.runbook.", ""])
def test_a_step_that_there_is_not_is_refused_in_a_sentence(payload: Payload, module: str) -> None:
    """Without its arguments in the answer: nobody knows which of an unknown step's are secret."""
    answer, imported = payload.execute(module)
    assert answer["failed"] is True
    assert answer["msg"] == f"There is no step {module or 'without a name'}. Production was not touched."
    assert answer["invocation"] == {"module_args": {}}
    assert imported & MODULES == set()


@pytest.mark.parametrize("name", STEPS)
def test_the_module_that_is_documented_executes_the_same(name: str) -> None:
    source = (PLUGINS / f"modules/{name}.py").read_text(encoding="utf-8")
    assert source.endswith(
        f'"""\n\nfrom ..module_utils.steps.{name} import main\n\nif __name__ == "__main__":\n    main()\n'
    )
    assert callable(STEPS[name].main)
