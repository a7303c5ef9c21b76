# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The words for rows that wait; the counting is tested with the record that it is written into."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.record.waiting import (
    code_of_waiting,
    waiting_in_words,
)


@pytest.mark.parametrize(
    ("rows", "words"),
    [(1, "1 row waits"), (2, "2 rows wait"), (3015, "3,015 rows wait"), (1_000_000, "1,000,000 rows wait")],
)
def test_how_many_rows_wait(rows: int, words: str) -> None:
    assert waiting_in_words(rows) == words
    assert f"is deployed, and {words} that" in code_of_waiting(rows)[1]
