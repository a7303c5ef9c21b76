# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Encrypted backups in whole playbooks: made, proven, put back; and refused where nobody could decrypt them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.encryption_keys import METHODS, age_key, keys, needs_programs
from tests.integration.stories.application import Application
from tests.integration.stories.test_restore_playbook import ask, restorable  # noqa: F401 - a fixture

pytestmark = needs_programs


def variables(options: dict[str, Any]) -> dict[str, Any]:
    return {
        "backup_encryption": options["method"],
        "backup_recipients": options["recipients"],
        "backup_identity": options["identity"],
    }


def unencrypted(backups: Path, ending: str) -> list[str]:
    """Files of dumps that lie there as pg_dump wrote them."""
    dumps = [path for path in backups.rglob("*") if path.is_file() and path.parent.name in ("dump", "plain")]
    assert dumps
    return [path.name for path in dumps if not path.name.endswith(ending)]


@pytest.mark.parametrize("method", METHODS)
def test_deployed_taken_back_and_put_back(restorable: Application, tmp_path: Path, method: str) -> None:  # noqa: F811
    with keys(method, tmp_path) as options:
        of_all = variables(options)
        run = restorable.deploy("002", **of_all)
        assert (run.status, run.record["outcome"]) == (0, "deployed"), run.output
        assert run.receipt("backup")["outputs"]["encryption"] == method
        source = run.record["run_id"]
        run = restorable.run("emergency_rollback.yml", "-e", "migration=002", **of_all)
        assert (run.status, run.record["outcome"]) == (0, "rolled_back"), run.output
        assert unencrypted(restorable.backups, f".{method}") == []
        ask(restorable, "DELETE FROM notes")
        # By a command of which nobody has told that backups are encrypted; only what decrypts them is set.
        run = restorable.run(
            "playbooks/restore.yml", "-e", f"run_id={source}", backup_identity=options["identity"]
        )
        assert (run.status, run.record["outcome"]) == (0, "restored"), run.output
        assert ask(restorable, "SELECT count(*) FROM notes") == [(4,)]
        assert unencrypted(restorable.backups, f".{method}") == []


def test_without_what_decrypts_it_a_deploy_is_refused_before_anything(
    application: Application, tmp_path: Path
) -> None:
    before = application.contents()
    options = {**age_key(tmp_path), "identity": str(tmp_path / "nowhere.txt")}
    run = application.deploy("002", **variables(options))
    assert run.status != 0
    assert (run.record["outcome"], run.record["failed_step"]) == ("refused", "preflight")
    assert run.record["reason_code"] == "backup_encryption_unusable"
    assert "nowhere.txt" in run.record["reason"]
    assert application.contents() == before
    assert not application.backups.exists()
