# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a person on call meets after a deploy, and beside one: whole playbooks, and what they print."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from tests.integration.restore_runs import wait_for
from tests.integration.step_runs import StepRuns
from tests.integration.stories.application import Application

VIEW = {
    "migrations/020_view.sql": "-- Requires: 001\n-- Data Loss: PARTIAL\nDROP VIEW seen;\n"
    "CREATE VIEW seen AS SELECT id, body FROM notes;\nUPDATE notes SET body = body || '!' WHERE id = 1;\n",
    "rollback/020_view_rollback.sql": "DROP VIEW seen;\nCREATE VIEW seen AS SELECT id FROM notes;\n",
    "migrations/021_slow.sql": "-- Requires: 001\nALTER TABLE notes ADD COLUMN slow text;\n"
    # Of one database: the copy does not wait for it.
    "SELECT pg_advisory_xact_lock(815);\n",
    "rollback/021_slow_rollback.sql": "ALTER TABLE notes DROP COLUMN slow;\n",
}


def written(application: Application, folder: Path) -> StepRuns:
    """Adds scripts to a copy of the folder, which is the session's; gives statements in the database."""
    application.sql_dir = Path(shutil.copytree(application.sql_dir, folder / "sql"))
    for name, text in VIEW.items():
        (application.sql_dir / name).write_text(text, encoding="utf-8")
    return StepRuns(application.server, application.databases[0], folder)


def test_a_grant_after_the_deploy_and_a_loss_that_was_accepted(
    application: Application, tmp_path: Path
) -> None:
    database = written(application, tmp_path)
    database.execute("CREATE VIEW seen AS SELECT id FROM notes")
    refused = application.deploy("020")
    assert (refused.record["outcome"], refused.status) == ("refused", 2)
    assert refused.record["reason"].endswith("give -e accept_data_loss=020.")

    run = application.deploy("020", "-e", "accept_data_loss=true")
    assert run.status == 0, run.output
    assert run.record["proof"]["data_restored"] is False
    (lost,) = run.record["proof"]["not_given_back"]["020"]
    assert (lost["table"], lost["changed"], lost["columns"]) == ("public.notes", 1, {"body": 1})
    named = "Rollback of 020 does not give back, as the header declares: public.notes: as many rows"
    assert named in run.output

    database.execute("GRANT SELECT ON seen TO PUBLIC")
    back = application.run("emergency_rollback.yml", "-e", "migration=020")
    assert back.status == 0, back.output
    assert back.record["privileges_again"] == ["view public.seen"]
    assert "Privileges: view public.seen was made again, with what was granted" in back.output
    assert named in back.output
    assert "and its rows but for those that the rollback does not give back." in " ".join(back.output.split())
    assert database.ask(
        "SELECT 'PUBLIC' FROM pg_class, aclexplode(relacl) WHERE relname = 'seen' AND grantee = 0"
    )


def test_the_status_and_a_rollback_beside_a_deploy(application: Application, tmp_path: Path) -> None:
    database = written(application, tmp_path)
    first = application.deploy("003")
    assert first.status == 0, first.output
    with contextlib.closing(application.server.connect(application.databases[0])) as holder:
        with holder.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(815)")
        process = application.start("deploy.yml", "-e", "migration=021", "-e", "lock_timeout_seconds=600")
        wait_for(
            lambda: database.ask(
                "SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 815 AND NOT granted"
            )
        )
        status = application.run("playbooks/status.yml")
        back = application.run("emergency_rollback.yml", "-e", "migration=021")
    deployed = application.finish(process)
    assert deployed.status == 0, deployed.output
    assert status.status == 0, status.output
    assert "IN PROGRESS: run " in status.output
    assert "(deploy of 021)" in status.output
    assert "DRIFT" not in status.output
    assert back.status != 0
    assert "Another run is in progress in this database" in back.output
    after = application.run("playbooks/status.yml")
    assert "IN PROGRESS" not in after.output
    assert "DRIFT" not in after.output


def test_a_second_file_of_a_number_holds_up_no_rollback(application: Application, tmp_path: Path) -> None:
    database = written(application, tmp_path)
    assert application.deploy("002").status == 0
    (application.sql_dir / "migrations/002_zone.sql").write_text("CREATE TABLE zone (id int);\n")
    (application.sql_dir / "rollback/002_zone_rollback.sql").write_text("DROP TABLE zone;\n")
    back = application.run("emergency_rollback.yml", "-e", "migration=002_author")
    assert (back.record["outcome"], back.status) == ("rolled_back", 0), back.output
    assert back.record["migrations"] == ["002"]
    assert back.record["deployed_files"] == {"002": "002_author"}
    assert "by its digest 002_author is the one that was deployed" in back.output
    assert database.ask("SELECT version FROM schema_migrations ORDER BY 1") == [("001",)]
    assert (
        database.ask("SELECT FROM pg_attribute WHERE attrelid = 'notes'::regclass AND attname = 'author'")
        == []
    )
    again = application.run("emergency_rollback.yml", "-e", "migration=002_author")
    assert again.record["reason_code"] == "not_applied", again.output


def test_a_rehearsal_of_all_goes_on_after_scripts_that_cannot_be_run(
    application: Application, tmp_path: Path
) -> None:
    folder = tmp_path / "sql"
    for name, text in {
        "migrations/001_a.sql": "CREATE TABLE a (id int);\n",
        "rollback/001_a_rollback.sql": "DROP TABLE a;\n",
        "migrations/002_syntax.sql": "-- Requires: 001\nCREATE TABLEX b (id int);\n",
        "rollback/002_syntax_rollback.sql": "DROP TABLE b;\n",
        "migrations/003_name.sql": "-- Requires: 001\nALTER TABLE a ADD COLUMN name text;\n",
        "rollback/003_name_rollback.sql": "ALTER TABLE a DROP COLUMN name;\n",
        "migrations/004_lost.sql": "-- Requires: 001\nUPDATE a SET id = 0;\n",
        "rollback/004_lost_rollback.sql": "SELECT 1;\n",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    application.sql_dir = folder
    run = application.run("playbooks/rehearse.yml", "-e", "migration=all")
    assert run.record["outcome"] == "refused", run.output
    assert run.record["reason_code"] == "rehearsal_failed_for_several", run.record["reason"]
    assert run.record["migrations"] == ["001", "003", "004"]
    assert "2 of 4 migrations fail the rehearsal: 002, 004" in run.record["reason"], run.record["reason"]
