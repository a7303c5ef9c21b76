# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run restored and did not swap is dropped, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.restore.restored import (
    RestoredDatabase,
    drop_restored,
    ledger_dump,
)

from demo.local_server import LocalServer
from tests.integration.step_runs import StepRuns, target


@pytest.fixture
def restored(server: LocalServer, database: str) -> RestoredDatabase:
    made = RestoredDatabase(target(server, database), "run-a")
    made.create({"TEMPLATE": "template0"})
    return made


def exists(server: LocalServer, tmp_path: Path, name: str) -> bool:
    return bool(
        StepRuns(server, "postgres", tmp_path).ask(f"SELECT FROM pg_database WHERE datname = '{name}'")
    )


def test_it_is_dropped_with_the_ledger_s_dump_by_its_own_run(
    server: LocalServer, database: str, restored: RestoredDatabase, tmp_path: Path
) -> None:
    dump = Path(ledger_dump(str(tmp_path), "run-a"))
    dump.parent.mkdir()
    dump.touch()
    assert not drop_restored(target(server, database), "run-b", str(tmp_path))
    assert exists(server, tmp_path, restored.name)
    assert dump.exists()
    assert drop_restored(target(server, database), "run-a", str(tmp_path))
    assert not exists(server, tmp_path, restored.name)
    assert not dump.exists()
    assert not drop_restored(target(server, database), "run-a", str(tmp_path))
