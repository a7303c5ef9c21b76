# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The backup that is put back is one that was proven, of this database, and still there."""

from __future__ import annotations

import contextlib
import shutil

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused, StepFailed
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.ledger import Ledger
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import server_identity
from ansible_collections.pgops.runbook.plugins.module_utils.restore.source import find_backup

from tests.integration.step_runs import StepRuns


def find(runs: StepRuns, run_id: str) -> dict:
    with (
        contextlib.closing(runs.server.connect(runs.database)) as connection,
        connection.cursor() as cursor,
    ):
        return find_backup(Ledger(), cursor, str(runs.backups), run_id, server_identity(cursor))


def refusal(runs: StepRuns, run_id: str) -> Refused:
    with pytest.raises(Refused) as caught:
        find(runs, run_id)
    return caught.value


def test_a_proven_backup_is_found_with_what_the_restore_has_to_know(proven: StepRuns) -> None:
    receipts = "FROM runbook.receipt WHERE step = 'backup'"
    ((manifest, taken),) = proven.ask(
        f"SELECT document::json #>> '{{outputs,manifest_sha256}}', document::json ->> 'finished' {receipts}"
    )
    assert find(proven, proven.run_id) == {
        "run_id": proven.run_id,
        "folder": str(proven.backups / proven.run_id / "backup"),
        "manifest_sha256": manifest,
        "rows": 4,
        "taken": taken,
        "migrations": ["002"],
    }


def test_that_of_a_rehearsal_is_found_by_the_receipts_beside_it(runs: StepRuns) -> None:
    rehearsal = runs.another("rehearse")
    rehearsal.steps("preflight", "backup", "verify_restore")
    rehearsal.conclude("rehearsed")
    assert find(runs, rehearsal.run_id)["folder"] == str(runs.backups / rehearsal.run_id / "backup")


@pytest.mark.parametrize("name", ["", "../r1", "r1\n"])
def test_a_name_that_is_none_of_a_run_is_refused(proven: StepRuns, name: str) -> None:
    error = refusal(proven, name)
    assert error.code == "restore_run_not_named"
    assert error.reason.endswith(f"newest first: {proven.run_id}.")


def test_each_refusal_names_a_run_that_could_be_named_instead(proven: StepRuns) -> None:
    unproven = proven.another()
    unproven.up_to("backup")
    unproven.conclude("failed")
    for run_id, code in (("r1", "run_unknown"), (unproven.run_id, "backup_not_proven")):
        error = refusal(proven, run_id)
        assert (error.code, error.reason.endswith(f"newest first: {proven.run_id}.")) == (code, True)
    shutil.rmtree(proven.backups / proven.run_id)
    error = refusal(proven, proven.run_id)
    assert error.code == "backup_missing"
    assert "newest first" not in error.reason


def test_that_of_another_database_is_refused(proven: StepRuns, admin: StepRuns) -> None:
    twin = StepRuns(proven.server, f"{proven.database}_twin", proven.folder)
    admin.execute(f"CREATE DATABASE {twin.database} TEMPLATE {proven.database}")
    try:
        error = refusal(twin, proven.run_id)
    finally:
        admin.execute(f"DROP DATABASE {twin.database} WITH (FORCE)")
    assert error.code == "backup_of_another_database"
    assert f"is of database {proven.database} of server" in error.reason


def test_what_was_changed_after_it_was_written_proves_nothing(proven: StepRuns) -> None:
    manifest = proven.backups / proven.run_id / "backup/manifest.json"
    text = manifest.read_text()
    manifest.write_text(text + " ")
    with pytest.raises(StepFailed, match="was changed after it was written"):
        find(proven, proven.run_id)
    manifest.write_text(text)
    proven.execute("UPDATE runbook.receipt SET document = replace(document, 'backup', 'BACKUP')")
    assert refusal(proven, proven.run_id).code == "receipt_altered"
