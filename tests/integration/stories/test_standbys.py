# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the command line: a deploy beside a real standby that has not replayed, and one that is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from demo.local_server import LocalServer
from tests.integration.stories.application import Application
from tests.own_server import own_server
from tests.streaming import Standby, changed_settings, no_commit_waits


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
