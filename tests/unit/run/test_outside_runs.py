# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the controller adds to steps that belong to no run; whole commands are in the stories."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.outside_runs import tell_outside_runs

from tests.unit.record.records import record


@pytest.mark.parametrize("writes", [True, False])
def test_the_page_of_a_history_is_written_but_in_check_mode(tmp_path: Path, writes: bool) -> None:
    result: dict[str, Any] = {"outputs": {"runs": [], "more": 0}}
    made = record(tmp_path, writes=writes)
    tell_outside_runs("history", result, made, {}, "library")
    assert bool(list(tmp_path.rglob("history-library.html"))) == writes
    assert result["report"]
