# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which extensions a role may make is tried, and nothing is left of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.backup.trial import extensions_refused

from tests.integration.restore_runs import beside
from tests.integration.step_runs import StepRuns, target


@pytest.fixture
def maker(admin: StepRuns) -> Iterator[str]:
    admin.execute("CREATE ROLE makes_databases LOGIN CREATEDB")
    yield "makes_databases"
    admin.execute("DROP ROLE makes_databases")


def test_only_what_the_server_refuses_is_named(runs: StepRuns, admin: StepRuns, maker: str) -> None:
    names = ["hstore", "pageinspect", "citext"]
    where = {**target(runs.server, runs.database), "login_user": maker}
    assert extensions_refused(where, runs.run_id, names) == ["pageinspect"]
    assert beside(admin) == []


def test_a_superuser_makes_all(runs: StepRuns, admin: StepRuns) -> None:
    assert extensions_refused(target(runs.server, runs.database), runs.run_id, ["pageinspect"]) == []
    assert beside(admin) == []
