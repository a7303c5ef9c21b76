# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A disk that runs full while pg_dump writes is told as one that was full before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.backup import files as files_module
from ansible_collections.pgops.runbook.plugins.module_utils.backup.files import BackupFiles
from ansible_collections.pgops.runbook.plugins.module_utils.errors import StepFailed

from demo.local_server import LocalServer
from tests.integration.step_runs import StepRuns, target


@pytest.fixture
def writing_fails(tmp_path: Path) -> str:
    """A folder with a pg_dump that finds no room, as the C library says it."""
    program = tmp_path / "bin" / "pg_dump"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\necho 'pg_dump: error: could not close data file: No space left on device' >&2\nexit 1\n"
    )
    program.chmod(0o755)
    return str(program.parent)


def test_it_is_the_folder_that_is_full(
    server: LocalServer, database: str, tmp_path: Path, writing_fails: str
) -> None:
    files = BackupFiles(str(tmp_path / "backups"), "run-1")
    files.create_folder()
    with pytest.raises(
        StepFailed, match=r"run-1 ran full while pg_dump wrote the backup: .*No space left"
    ) as full:
        files.make_dump(target(server, database), writing_fails, "0-1", 1)
    assert full.value.code == "backup_dir_full"


def test_before_a_rollback_it_says_what_needs_no_room(
    runs: StepRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.deploy()

    def full(*arguments: Any) -> None:
        raise StepFailed("client_program_failed", "pg_dump failed: No space left on device")

    rollback = runs.another("emergency_rollback")
    rollback.must("preflight", emergency_backup="full")
    monkeypatch.setattr(files_module, "run_program", full)
    answer = rollback.step("backup", purpose="emergency", kind="full")
    assert answer["reason_code"] == "backup_dir_full", answer
    assert answer["msg"].endswith("-e emergency_backup=salvage")
