# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A server dies, and a standby that had not got what a run committed last has its place."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from demo.local_server import LocalServer
from tests.integration.step_runs import StepRuns
from tests.own_server import own_server
from tests.streaming import Standby, until

VERSIONS = "SELECT version FROM schema_migrations ORDER BY 1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A server of these tests' own."""
    with own_server(tmp_path_factory.mktemp("primary")) as server:
        yield server


@contextlib.contextmanager
def lost_with_the_server(server: LocalServer) -> Iterator[None]:
    """What is committed inside is lost: afterwards a standby that was cut off before is the server."""
    with Standby(server, "successor") as standby:
        with contextlib.closing(standby.connect()) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute("ALTER SYSTEM SET primary_conninfo = ''")
            cursor.execute("SELECT pg_reload_conf()")
        until(lambda: not standby.streams(), "the standby is cut off")
        yield
        server.stop()
        standby.take_over()


def test_a_change_that_was_lost_is_said_to_be(server: LocalServer, runs: StepRuns) -> None:
    runs.up_to("rehearse")
    with lost_with_the_server(server):
        runs.last_receipt = runs.must("apply")["receipts"][-1]["digest"]
    answer = runs.step("verify")
    assert (answer["outcome"], answer["reason_code"], answer["lost"]) == ("failed", "receipt_lost", [])
    assert "Another server answers than the one that committed it" in answer["msg"]
    assert "In the database that answers now 002 is not applied" in answer["msg"]
    # What a failed deploy does then, finds nothing to take back, and says why.
    backup = runs.must("backup", purpose="emergency", automatic=True)
    taken_back = runs.must("emergency_rollback", automatic=True)
    assert backup["lost"] == taken_back["lost"] == []
    assert taken_back["outputs"]["migrations"] == []
    assert runs.ask(VERSIONS) == [("001",)]

    runs.conclude("failed")
    again = runs.another()
    again.deploy()
    back = runs.another("emergency_rollback")
    back.up_to_rollback()
    with lost_with_the_server(server):
        back.last_receipt = back.must("emergency_rollback")["receipts"][-1]["digest"]
    answer = back.step("smoke_test")
    assert (answer["outcome"], answer["reason_code"], answer["lost"]) == ("failed", "receipt_lost", ["002"])
    assert "In the database that answers now 002 is applied" in answer["msg"]


def test_before_anything_is_changed_it_is_a_refusal(runs: StepRuns) -> None:
    """Also where nobody failed over: the last receipt is one that the ledger does not have."""
    runs.up_to("backup")
    runs.last_receipt = "0" * 64
    answer = runs.step("verify_restore")
    assert (answer["outcome"], answer["reason_code"], answer["lost"]) == ("refused", "receipt_lost", [])
    runs.last_receipt = ""
    runs.must("verify_restore")
