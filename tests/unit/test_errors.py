# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Errors, and values that earlier code has made sure of."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import known


def test_a_known_value_is_handed_on_and_a_missing_one_is_a_defect() -> None:
    assert known(0, "a number") == 0
    with pytest.raises(LookupError, match="a number is not known"):
        known(None, "a number")
