# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""maintenance_mode in whole playbooks: after any end the application is let in as before."""

from __future__ import annotations

import contextlib
import time

from tests.integration.stories.application import Application

ACCESS = """
    SELECT (SELECT array_agg(a::text ORDER BY a::text)::text
            FROM aclexplode(coalesce(datacl, acldefault('d', datdba))) a),
           (SELECT count(*) FROM pg_db_role_setting WHERE setdatabase = d.oid)
    FROM pg_database d WHERE datname = current_database()"""

KEPT_OUT = "SELECT NOT has_database_privilege('app', current_database(), 'CONNECT') AS kept_out"


def ask(application: Application, query: str) -> list[tuple]:
    (database,) = application.databases
    with (
        contextlib.closing(application.server.connect(database)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(query)
        return cursor.fetchall() if cursor.description else []


def test_a_deploy_that_is_killed_and_one_that_ends(application: Application) -> None:
    """One story: a playbook costs seconds."""
    ask(application, "DO $$ BEGIN CREATE ROLE app LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    before = ask(application, ACCESS)
    application.variables.update(maintenance_mode="block", maintenance_grace_seconds=1)
    killed = killed_at_backup(application)
    assert ask(application, KEPT_OUT) == [(True,)]
    run = application.deploy("002")
    said = " ".join(run.output.split())
    assert f"IN SERVICE AGAIN: run {killed} had taken the application out of service" in said
    assert "maintenance_mode block was ended" in said
    assert (run.status, run.record["outcome"]) == (0, "deployed"), run.output
    assert "nobody else is let in" in said
    assert ask(application, ACCESS) == before
    status = application.run("playbooks/status.yml").output
    assert "SERVICE" not in status
    assert "CHANGED" not in status


def killed_at_backup(application: Application) -> str:
    """A deploy whose controller dies once the database is closed; its run_id."""
    process = application.start("deploy.yml", "-e", "migration=002")
    while ask(application, KEPT_OUT) != [(True,)]:
        assert process.poll() is None
        time.sleep(0.1)
    process.kill()
    return application.finish(process).record["run_id"]
