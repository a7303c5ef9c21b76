# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the command line: a deploy beside a real standby that has not replayed, and one that is missing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import pytest

from demo.local_server import LocalServer
from tests.integration.stories.application import Application, Run
from tests.own_server import own_server
from tests.streaming import Standby, changed_settings, execute, no_commit_waits, until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A server of these tests' own."""
    with own_server(tmp_path_factory.mktemp("primary")) as server:
        yield server


def said(output: str) -> str:
    """The output without the way in which it was wrapped."""
    assert "Traceback" not in output
    return " ".join(output.split())


def test_what_a_standby_has_not_replayed_is_said_by_a_deploy_that_succeeds(
    application: Application, server: LocalServer
) -> None:
    with Standby(server, "s1") as standby, standby.paused():
        run = application.deploy("002", "-e", "replica_wait_seconds=1")
    assert run.status == 0, run.output
    assert run.record["outcome"] == "deployed"
    (sentence,) = run.record["replication"]
    assert "standbys have not replayed it: s1 is " in sentence
    assert f"Replication: {sentence}" in said(run.output)


def test_a_lag_that_is_too_great_is_refused_by_its_variable(
    application: Application, server: LocalServer
) -> None:
    with Standby(server, "s1") as standby, standby.paused():
        run = application.deploy("002", "-e", "max_replica_lag_mb=0.001")
    assert run.status != 0
    assert (run.record["outcome"], run.record["reason_code"]) == ("refused", "replica_lags")
    assert "State: Production was not touched." in said(run.output)


def test_without_its_synchronous_standby_nothing_hangs_and_the_run_ends(
    application: Application, server: LocalServer
) -> None:
    with changed_settings(server, synchronous_standby_names="s1"), no_commit_waits(server):
        run = application.deploy("002")
        check = application.deploy("002", "--check")
    for one in (run, check):
        assert one.status != 0
        assert "COMMIT would wait without an end" in said(one.output)
    assert (run.record["outcome"], run.record["reason_code"]) == ("refused", "synchronous_standby_missing")
    assert json.dumps(run.record["steps"]).count('"failed"') == 1


# The COMMIT of a receipt of apply stops before it takes effect, until the test has let the standby go.
STOPS_AT_COMMIT = """
    CREATE FUNCTION runbook.defer() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN SET CONSTRAINTS runbook.stop DEFERRED; RETURN new; END';
    CREATE TRIGGER defer BEFORE INSERT ON runbook.receipt FOR EACH ROW EXECUTE FUNCTION runbook.defer();
    CREATE FUNCTION runbook.stop() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_xact_lock(4242); RETURN NULL; END';
    CREATE CONSTRAINT TRIGGER stop AFTER INSERT ON runbook.receipt DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        WHEN (new.document LIKE '%"status":"ok","step":"apply"%') EXECUTE FUNCTION runbook.stop();
"""
NEVER_AGAIN = "DROP FUNCTION runbook.defer() CASCADE; DROP FUNCTION runbook.stop() CASCADE"
STOPPED = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 4242 AND NOT granted"


def ended(run: Run) -> tuple[str, str | None]:
    return run.record["outcome"], run.record["reason_code"]


def versions(application: Application) -> list[str]:
    with (
        contextlib.closing(application.server.connect(application.databases[0])) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT version FROM schema_migrations ORDER BY 1")
        return [version for (version,) in cursor.fetchall()]


def test_after_a_commit_that_nobody_confirmed_every_word_is_true_and_the_way_goes_on(
    application: Application, server: LocalServer
) -> None:
    """Its standby goes in the very moment of COMMIT, and does not come back before the run has ended."""
    (database,) = application.databases
    assert application.deploy("003").status == 0
    execute(server, STOPS_AT_COMMIT, database=database)
    with contextlib.closing(server.connect(database)) as holder, holder.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(4242)")
        holder.commit()
        process = application.start("deploy.yml", "-e", "migration=002")
        with contextlib.closing(server.connect(database)) as watching, watching.cursor() as looks:
            watching.autocommit = True
            until(lambda: looks.execute(STOPPED) or looks.fetchall(), "COMMIT is sent", seconds=300)
        with changed_settings(server, synchronous_standby_names="s1"):
            cursor.execute("SELECT pg_advisory_unlock(4242)")
            run = application.finish(process)
            # It is there, was not tested, and could not be taken back: a COMMIT of that would have hung.
            assert run.status != 0
            assert ended(run) == ("failed", "synchronous_standby_missing"), run.output
            assert versions(application) == ["001", "002", "003"]
            assert "did not confirm a COMMIT within 30 s. It is done on this server" in said(run.output)
            assert "Production STILL HAS" in said(run.output)
            status = application.run("playbooks/status.yml")
            assert status.status == 0, status.output
            assert "002_author applied" in said(status.output)
            for refused in (
                application.deploy("004"),
                application.run("emergency_rollback.yml", "-e", "migration=002"),
            ):
                assert refused.status != 0
                assert ended(refused) == ("refused", "synchronous_standby_missing"), refused.output
    execute(server, NEVER_AGAIN, database=database)
    assert versions(application) == ["001", "002", "003"]
    assert ended(application.deploy("002")) == ("refused", "applied_without_smoke_test")
    back = application.run("emergency_rollback.yml", "-e", "migration=002")
    assert (back.status, versions(application)) == (0, ["001", "003"]), back.output
    again = application.deploy("002")
    assert (again.status, versions(application)) == (0, ["001", "002", "003"]), again.output
