# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""maintenance_mode and health_urls in whole playbooks: after any end the application is let in as before."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

from tests.integration.stories.application import Application
from tests.web_server import Request, in_turn, serving

ACCESS = """
    SELECT (SELECT array_agg(a::text ORDER BY a::text)::text
            FROM aclexplode(coalesce(datacl, acldefault('d', datdba))) a),
           (SELECT count(*) FROM pg_db_role_setting WHERE setdatabase = d.oid)
    FROM pg_database d WHERE datname = current_database()"""

SECRET = "correct-horse"

KEPT_OUT = "SELECT NOT has_database_privilege('kept_out', '{}', 'CONNECT') AS kept_out"


def ask(application: Application, query: str, where: str = "") -> list[tuple]:
    with (
        contextlib.closing(application.server.connect(where or application.databases[0])) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(query)
        return cursor.fetchall() if cursor.description else []


def make_role(application: Application) -> None:
    ask(
        application,
        "DO $$ BEGIN CREATE ROLE kept_out LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
    )


def killed_when_closed(application: Application) -> str:
    """A deploy whose controller dies once the database is closed; its run_id."""
    process = application.start("deploy.yml", "-e", "migration=002")
    # From elsewhere: a session of the runbook's role in the database would have it refused.
    while ask(application, KEPT_OUT.format(application.databases[0]), "postgres") != [(True,)]:
        assert process.poll() is None
        time.sleep(0.1)
    process.kill()
    return application.finish(process).record["run_id"]


class Health:
    """The application's address: it says whether it may write, and answers as it is told.

    Attributes:
        status_of: gives the status of each answer.
        wrote: of each time that it was asked, whether its role could write.
    """

    def __init__(self, application: Application) -> None:
        self.status_of, self.wrote = in_turn(200), list[bool]()
        server, (database,) = application.server, application.databases
        self.reached: dict[str, Any] = {
            "host": server.host,
            "port": server.port,
            "user": "kept_out",
            "dbname": database,
        }

    def answer(self, request: Request) -> int:
        with contextlib.closing(psycopg2.connect(**self.reached)) as connection:
            self.wrote.append(not only_reads(connection))
        return self.status_of(request)

    def is_at(self, host: str) -> None:
        self.host = host
        self.url = f"http://probe:{SECRET}@{host}/health?token={SECRET}"


def only_reads(connection: Any) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SHOW default_transaction_read_only")
        return cursor.fetchone() == ("on",)


@pytest.fixture
def health(application: Application) -> Iterator[Health]:
    made = Health(application)
    with serving(made.answer) as server:
        made.is_at(server.host)
        yield made


def test_killed_then_not_well_then_deployed(application: Application, health: Health) -> None:
    """One story: a playbook costs seconds."""
    make_role(application)
    before = ask(application, ACCESS)
    health.status_of = in_turn(503)
    application.variables.update(
        maintenance_mode="block",
        maintenance_grace_seconds=1,
        health_urls=[health.url],
        health_retries=2,
        health_delay_seconds=0,
    )
    killed = killed_when_closed(application)
    run = application.deploy("002", "-vvv", maintenance_mode="read_only")
    said = " ".join(run.output.split())
    assert SECRET not in said
    assert f"IN SERVICE AGAIN: run {killed} had taken the application out of service" in said
    assert "maintenance_mode block was ended" in said, "it is the ledger that says so, not the variable"
    assert (run.record["outcome"], run.record["reason_code"]) == ("rolled_back", "health_check_failed"), said
    failure = f"Entry 1 of health_urls (on {health.host}), asked 3 times, answered 503."
    assert run.record["reason"] == failure
    assert health.wrote == [True, True, True], "it was let in before it was asked"
    assert ask(application, ACCESS) == before
    health.status_of = in_turn(503, 204)
    run = application.deploy("002")
    assert (run.status, run.record["outcome"]) == (0, "deployed"), run.output
    said = " ".join(run.output.split())
    assert "nobody else is let in" in said
    assert "there are no smoke scripts; 1 health URL answers" in said
    asked = [{"host": health.host, "status": 204, "attempts": 2}]
    assert run.receipt("smoke_test")["outputs"]["health"] == asked
    assert ask(application, ACCESS) == before
    status = application.run("playbooks/status.yml").output
    assert "SERVICE" not in status
    assert "CHANGED" not in status
    files = [path for path in application.artifacts.rglob("*") if path.is_file()]
    assert [str(path) for path in files if SECRET in path.read_text(encoding="utf-8")] == []
    assert SECRET not in run.output + status
