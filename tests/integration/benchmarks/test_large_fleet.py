# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The simulated targets of the measurement of a large fleet answer as those do that a deploy finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.large_fleet import PROJECT, SIMULATED, measure
from benchmarks.memory import MEGABYTE


@pytest.mark.parametrize("playbook", [SIMULATED / "cheap_deploy.yml", PROJECT / "deploy.yml"])
def test_a_deploy_over_targets_that_are_simulated_does_what_it_does_where_nothing_is_to_be_done(
    tmp_path: Path, playbook: Path
) -> None:
    taken = measure(tmp_path, hosts=2, forks=2, playbook=playbook)
    assert taken.hosts == 2
    assert taken.controller > MEGABYTE
    assert len(list(tmp_path.glob("artifacts/*-tenant_*/run.json"))) == 2
