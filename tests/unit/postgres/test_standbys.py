# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""How many standbys the text of synchronous_standby_names asks for."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.standbys import standbys_asked_for


@pytest.mark.parametrize(
    ("names", "number"),
    [
        ("", 0),
        ("  ", 0),
        ("s1", 1),
        ("*", 1),
        ("s1, s2, s3", 1),
        ("FIRST 2 (s1, s2, s3)", 2),
        ("first 2(s1, s2)", 2),
        ("ANY 3 (*)", 3),
        ("\n any\t10 ( s1 )", 10),
        ("2 (s1, s2)", 2),
        ("first, s2", 1),
        ('"2 (", s2', 1),
        ("any_2, s2", 1),
    ],
)
def test_the_number_is_read_as_the_server_does(names: str, number: int) -> None:
    assert standbys_asked_for(names) == number
