# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tables in the order of their foreign keys."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.references import parents_first


@pytest.mark.parametrize(
    ("tables", "references", "groups"),
    [
        ("", [], []),
        ("ba", [], [["a"], ["b"]]),
        ("abc", ["ab", "bc"], [["c"], ["b"], ["a"]]),
        ("a", ["aa"], [["a"]]),
        ("abcd", ["ab", "bc", "ca", "bd"], [["d"], ["a", "b", "c"]]),
        ("abcd", ["ab", "ba", "cd", "dc", "ca"], [["a", "b"], ["c", "d"]]),
        ("ab", ["ax", "xb"], [["a"], ["b"]]),
    ],
)
def test_parents_come_first_and_rings_stay_together(tables, references, groups):
    assert parents_first(tables, [tuple(pair) for pair in references]) == groups
