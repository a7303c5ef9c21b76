# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is told of an action that nothing but the controller does."""

from __future__ import annotations

from typing import Any

from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.controller_action import (
    ControllerAction,
    failed_action,
    result_of,
)

UNFORESEEN = "Nobody foresaw {}."


def test_what_it_does_is_its_result() -> None:
    assert result_of(lambda: {"changed": True}, UNFORESEEN) == {"changed": True}


def test_a_refusal_has_its_code() -> None:
    def refuse() -> dict[str, Any]:
        raise Refused("setting_invalid", "It cannot be.")

    assert result_of(refuse, UNFORESEEN) == failed_action("setting_invalid", "It cannot be.")


def test_a_defect_is_a_sentence_with_what_happened() -> None:
    result = result_of(lambda: {"a": {}["b {c}"]}, UNFORESEEN)
    assert "Traceback" in result.pop("exception")
    assert result == failed_action("step_crashed", "Nobody foresaw KeyError('b {c}').")
    assert (result["failed"], result["changed"]) == (True, False)


def test_no_host_is_connected_to() -> None:
    assert not ControllerAction._requires_connection
    assert ControllerAction._supports_check_mode
