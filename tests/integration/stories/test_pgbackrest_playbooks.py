# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backups by pgbackrest from the command line, into a repository on another host: deployed, and put back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.stories.application import Application, prepare
from tests.integration.stories.test_restore_playbook import ask
from tests.pgbackrest_repositories import SshRepository, ssh_repository
from tests.pgbackrest_server import archiving_server, whats_missing
from tests.ssh_hosts import SshUnusable
from tests.streaming import execute

pytestmark = pytest.mark.skipif(bool(whats_missing()), reason=whats_missing() or "")


@pytest.fixture
def repository() -> Iterator[SshRepository]:
    try:
        with ssh_repository() as made:
            yield made
    except SshUnusable as error:
        pytest.skip(str(error))


def test_a_deploy_and_a_restore(repository: SshRepository, scripts: Path, tmp_path: Path) -> None:
    with archiving_server(tmp_path / "state", repository) as archiving:
        execute(archiving.server, "CREATE DATABASE shop")
        prepare(archiving.server, "shop")
        application = Application(archiving.server, tmp_path, scripts, ["shop"])
        variables = {
            "backup_engine": "pgbackrest",
            "pgbackrest_stanza": "main",
            "pgbackrest_config": str(archiving.config),
            "pgbackrest_backup_command": list(repository.command),
            "pgbackrest_scratch_dir": str(archiving.scratch),
        }
        run = application.deploy("002", **variables)
        assert (run.status, run.record["outcome"]) == (0, "deployed"), run.output
        assert run.record["proof"]["data_restored"]
        label = run.receipt("backup")["outputs"]["label"]
        assert f"full backup {label} of pgbackrest" in run.output
        assert archiving.scratches() == []
        ask(application, "DELETE FROM notes")
        # The engine is known from the backup; only where it is restored has to be said.
        run = application.run(
            "playbooks/restore.yml",
            "-e",
            f"run_id={run.record['run_id']}",
            pgbackrest_scratch_dir=str(archiving.scratch),
        )
        assert (run.status, run.record["outcome"]) == (0, "restored"), run.output
        assert ask(application, "SELECT count(*) FROM notes") == [(4,)]
