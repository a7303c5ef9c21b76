# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The role of playbooks/bootstrap_roles.yml takes the main chain, there and back, on the oldest releases at hand."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.releases.chain import (
    BEFORE_THE_RESTORE,
    CUSTOMERS,
    DATABASE,
    DEPLOYER,
    ON_THE_NEW_SCHEMA,
    ON_THE_OLD_SCHEMA,
    ROLES,
    SHOP,
    ShopChain,
)
from demo.local_server import LocalServer
from tests.integration.restore_runs import Restore
from tests.integration.step_runs import StepRuns
from tests.releases import programs_by_release

# ``make versions`` tries all.
OLDEST = list(programs_by_release().values())[:2]


@pytest.fixture(params=OLDEST or [None], ids=str)
def release(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalServer]:
    if request.param is None:
        pytest.skip("no other release of PostgreSQL is installed")
    server = LocalServer(tmp_path / "server", fsync=False, programs=request.param, roles=ROLES)
    try:
        server.start()
        yield server
    finally:
        server.remove()


def deploy(runs: StepRuns) -> dict[str, Any]:
    """All that is pending; what apply answers."""
    runs.steps("preflight", "maintenance_window", "backup", "verify_restore", "rehearse")
    applied = runs.must("apply")
    runs.steps("verify", "smoke_test")
    runs.conclude()
    return applied["outputs"]


def roll_back(runs: StepRuns) -> None:
    runs.must("preflight", cascade=True)
    runs.migration = "pending"  # the plan has the scripts of all
    runs.must("backup", purpose="emergency")
    runs.must("emergency_rollback")
    runs.steps("smoke_test")
    runs.conclude("rolled_back")


def test_there_and_back_and_a_restore(release: LocalServer, tmp_path: Path) -> None:
    """Step by step, which costs less; ``make versions`` types the commands."""
    shop = ShopChain(release, tmp_path, by_superuser=False)
    shop.prepare()
    shop.make_role()
    runs = StepRuns(release, DATABASE, tmp_path / "steps", migration="pending", user=DEPLOYER)
    shutil.copytree(SHOP, runs.sql_dir)

    deploy(runs)
    shop.execute(ON_THE_NEW_SCHEMA)
    before = shop.rows()
    roll_back(runs.another("emergency_rollback", "002"))
    shop.execute(ON_THE_OLD_SCHEMA)
    again = runs.another("deploy", "pending")
    returned = [item for one in deploy(again)["migrations"] for item in one["salvage_returned"]]
    assert returned
    assert [item for item in returned if item["held_back"]] == []
    assert shop.rows() == before

    shop.execute(BEFORE_THE_RESTORE)
    restore = Restore(again)
    restore.steps("preflight", "restore", "count_rows")
    restore.steps("swap", carry_over=True)
    assert [name for (name,) in shop.execute(CUSTOMERS)] == ["Ada", "Grace", "Barbara", "Edsger", "Margaret"]
