# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A number of rows that is none is refused."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.drill.writes import refuse_number_of_rows
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused


def test_from_none_to_ten_thousand() -> None:
    refuse_number_of_rows(0)
    refuse_number_of_rows(10_000)


@pytest.mark.parametrize("rows", [-1, 10_001])
def test_others_are_refused(rows: int) -> None:
    with pytest.raises(Refused, match="drill_rows goes from 0") as caught:
        refuse_number_of_rows(rows)
    assert caught.value.code == "generated_rows_out_of_range"
