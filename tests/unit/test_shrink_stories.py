# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the search for the smallest stories leaves out of the merge is there to be left out."""

from __future__ import annotations

import pytest

from benchmarks.shrink_stories import WEAKENED


@pytest.mark.parametrize("what", WEAKENED)
def test_a_part_that_is_left_out_is_there(what: str) -> None:
    one = WEAKENED[what]
    assert callable(getattr(one.owner, one.name, None)), f"{one.owner} has no {one.name}"
