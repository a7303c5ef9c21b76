# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a person has agreed to is told from what nobody has."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.consents import consents_of


@pytest.mark.parametrize("given", [True, "true", "yes", "True", 1, "009: the client knows"])
def test_given(given: Any) -> None:
    assert consents_of({"accept_drift": given, "cascade": True}) == {"accept_drift": given}


@pytest.mark.parametrize("given", [False, "false", "no", "False", 0, "", None, "off"])
def test_not_given(given: Any) -> None:
    assert consents_of({"accept_drift": given}) == {}
