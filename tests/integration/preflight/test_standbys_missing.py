# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A COMMIT that would wait for a standby that is not there: seen before anything of ours is written."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo.local_server import LocalServer
from tests.integration.step_runs import StepRuns
from tests.own_server import own_server
from tests.streaming import changed_settings, no_commit_waits


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A server of these tests' own: nobody else's COMMIT waits."""
    with own_server(tmp_path_factory.mktemp("primary")) as server:
        yield server


def refused(runs: StepRuns, step: str = "preflight", **options: object) -> dict:
    with no_commit_waits(runs.server):
        answer = runs.step(step, **options)
    assert (answer["outcome"], answer["reason_code"]) == ("refused", "synchronous_standby_missing"), answer
    return answer


@pytest.mark.parametrize("asked_for", ["nobody", "FIRST 1 (nobody)", "ANY 1 (nobody, none)"])
def test_a_deploy_is_refused_before_its_first_commit(runs: StepRuns, asked_for: str) -> None:
    with changed_settings(runs.server, synchronous_standby_names=asked_for):
        answer = refused(runs)
        assert f"synchronous_standby_names is '{asked_for}'" in answer["msg"]
        assert "ALTER SYSTEM SET synchronous_standby_names = ''; SELECT pg_reload_conf()" in answer["msg"]
        assert answer["receipts"] == []
        assert runs.ask("SELECT to_regnamespace('runbook')") == [(None,)]
    runs.must("preflight")
