# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Limits as PostgreSQL writes them."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.statement_limits import in_milliseconds


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [
        ("0", 0),
        ("7", 7),
        ("500ms", 500),
        ("2s", 2_000),
        ("15min", 900_000),
        ("3h", 10_800_000),
        ("1d", 86_400_000),
    ],
)
def test_every_unit(value: str, milliseconds: int) -> None:
    assert in_milliseconds(value) == milliseconds


@pytest.mark.parametrize("value", ["", "on", "2 weeks", "-1"])
def test_anything_else_is_no_time(value: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        in_milliseconds(value)
