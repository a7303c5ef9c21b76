# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What was changed behind the runbook's back: artifacts, outcomes in the ledger, and backups that are gone."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from tests.integration.stories.application import Application, write_scripts_of_a_failed_rollback


def execute(application: Application, statement: str) -> None:
    name = application.databases[0]
    with (
        contextlib.closing(application.server.connect(name)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def status(application: Application) -> str:
    run = application.run("playbooks/status.yml")
    assert run.status == 0, run.output
    return run.output


def seen(output: str) -> list[str]:
    """What the status finds wrong."""
    words = ("CHANGED:", "CONTRADICTED:", "BACKUP GONE:", "RECEIPTS")
    return [line.strip() for line in output.splitlines() if line.strip().startswith(words)]


def test_files_outcomes_and_backups_that_somebody_has_changed_or_removed(application: Application) -> None:
    assert application.deploy("002").status == 0
    deployed = (application.artifacts / "latest").resolve()
    assert application.run("emergency_rollback.yml", "-e", "migration=002").status == 0
    taken_back = (application.artifacts / "latest").resolve()
    output = status(application)
    assert seen(output) == []
    assert ": rolled_back" in output

    (deployed / "report.html").write_text("All went well.")
    (deployed / "junit.xml").unlink()
    (deployed / "receipts" / "01_preflight.json").unlink()
    (taken_back / "run.json").unlink()
    execute(application, f"UPDATE runbook.run SET outcome = 'deployed' WHERE run_id = '{taken_back.name}'")
    shutil.rmtree(application.backups / deployed.name / "backup")
    output = status(application)
    assert [line for line in seen(output) if line.startswith("CHANGED:")] == [
        f"CHANGED: {deployed}/junit.xml is gone",
        f"CHANGED: {deployed}/receipts/01_preflight.json is gone",
        f"CHANGED: {deployed}/report.html is not as the run left it",
        f"CHANGED: {taken_back}/run.json is gone, by which one could tell whether the other files beside it are as the"
        " run left them",
    ]
    (contradicted,) = [line for line in seen(output) if line.startswith("CONTRADICTED:")]
    assert (
        f"run {taken_back.name} ended as deployed, but no run of emergency_rollback ends so" in contradicted
    )
    (gone,) = [line for line in seen(output) if line.startswith("BACKUP GONE:")]
    assert gone.startswith(f"BACKUP GONE: that of run {deployed.name}, the newest that was proven:")
    assert "how it ended is CONTRADICTED, see below" in output
    history = application.run("playbooks/history.yml").output
    assert "deployed (CONTRADICTED: no run of emergency_rollback ends so)" in history


def dump_that_removes(folder: Path, bindir: str, backups: Path) -> str:
    """A folder of client programs: the second dump of a run removes what the first has made."""
    folder.mkdir()
    (folder / "pg_restore").symlink_to(Path(bindir, "pg_restore"))
    (folder / "pg_dump").write_text(
        "#!/bin/sh\n"
        f"case \"$*\" in *emergency_backup*) rm -r '{backups}'/*/backup;; esac\n"
        f"exec '{bindir}/pg_dump' \"$@\"\n",
        encoding="utf-8",
    )
    (folder / "pg_dump").chmod(0o755)
    return str(folder)


def test_a_backup_that_is_gone_is_not_advised_after_a_rollback_that_failed(
    application: Application, tmp_path: Path
) -> None:
    sql_dir = write_scripts_of_a_failed_rollback(tmp_path / "failing")
    bindir = dump_that_removes(tmp_path / "bin", application.server.bindir, application.backups)
    run = application.deploy("002", "-e", f"sql_dir={sql_dir}", pg_bindir=bindir)
    assert (run.status != 0, run.record["outcome"]) == (True, "failed"), run.output
    run_id = run.record["run_id"]
    assert run.record["backup_gone"]["run_id"] == run_id, run.output
    said = " ".join(run.output.split())
    assert (
        "Next: correct the rollback script, then: ansible-playbook emergency_rollback.yml -e migration=002"
        in said
    )
    assert f"The backup of run {run_id} cannot be put back (The backup is gone: /" in said
    assert f"restore.yml -e run_id={run_id}" not in said
