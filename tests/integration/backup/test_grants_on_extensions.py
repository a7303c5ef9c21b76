# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What people have granted or revoked on members of an extension is in the backup, is compared, and is missed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.step_runs import StepRuns

MEMBER = "FUNCTION similarity(text, text)"


@pytest.fixture
def granted(runs: StepRuns) -> Iterator[StepRuns]:
    """Nobody but a clerk may call a function of an extension, and everybody may use one that nobody could."""
    runs.execute(
        "DROP ROLE IF EXISTS clerk",
        "CREATE ROLE clerk",
        "CREATE EXTENSION pg_trgm",
        f"REVOKE ALL ON {MEMBER} FROM PUBLIC",
        f"GRANT EXECUTE ON {MEMBER} TO clerk",
    )
    yield runs
    runs.execute("DROP OWNED BY clerk", "DROP ROLE clerk")


def test_they_are_restored_and_deployed_upon(granted: StepRuns) -> None:
    granted.deploy()


@pytest.mark.parametrize(
    "change", [f"REVOKE EXECUTE ON {MEMBER} FROM clerk", f"GRANT EXECUTE ON {MEMBER} TO PUBLIC"]
)
def test_a_change_of_them_is_drift(granted: StepRuns, change: str) -> None:
    granted.deploy()
    granted.write(migrations__003_tag="CREATE TABLE tag ();", rollback__003_tag_rollback="DROP TABLE tag;")
    granted.execute(change)
    answer = granted.another(wanted="003").step("preflight")
    assert answer.get("reason_code") == "schema_drifted", answer
    assert "similarity" in answer["msg"]


def test_a_copy_that_lacks_them_is_refused(granted: StepRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where an older pg_dump, or a role that may not grant there, had left them out."""
    granted.steps("preflight", "maintenance_window", "backup")
    from ansible_collections.pgops.runbook.plugins.module_utils.backup.files import BackupFiles

    restore = BackupFiles.restore

    def without_grants(self: BackupFiles, target: dict, database: str, *arguments: object) -> None:
        restore(self, target, database, *arguments)
        StepRuns(granted.server, database, granted.folder).execute(f"REVOKE EXECUTE ON {MEMBER} FROM clerk")

    monkeypatch.setattr(BackupFiles, "restore", without_grants)
    answer = granted.step("verify_restore", pg_bindir=granted.server.bindir)
    assert answer.get("failed"), answer
    assert "similarity" in answer["msg"]
