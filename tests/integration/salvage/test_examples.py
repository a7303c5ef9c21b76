# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The small stories by which the merge is measured, each of one thing that must not happen, told by the runbook."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.merge_stories.examples import EXAMPLES, Example, play
from benchmarks.merge_stories.shrunk import SHRUNK
from tests.integration.salvage.deployment import Deployment

STORIES = (*EXAMPLES, *SHRUNK)


@pytest.mark.parametrize("example", STORIES, ids=[one.name for one in STORIES])
def test_a_small_story_ends_as_the_merge_rule_says(connection: Any, example: Example) -> None:
    assert play(Deployment(connection, example.apply, example.rollback), example) == []
