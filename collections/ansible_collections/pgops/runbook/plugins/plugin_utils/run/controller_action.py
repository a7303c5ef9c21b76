# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Actions that are done on the controller alone: no host is asked for anything."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

from ansible.plugins.action import ActionBase

from ...module_utils.errors import RunbookError

__all__ = ["ControllerAction", "failed_action", "result_of"]

Result = dict[str, Any]


class ControllerAction(ActionBase):
    """What is the same for all of them."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True


def failed_action(code: str, reason: str) -> Result:
    """The result of one that changed nothing."""
    return {"failed": True, "changed": False, "reason_code": code, "msg": reason}


def result_of(work: Callable[[], Result], unforeseen: str) -> Result:
    """The result of an action, whatever becomes of it.

    Args:
        unforeseen: the sentence on an error that is a defect of ours, with {} for it.
    """
    try:
        return work()
    except RunbookError as error:
        return failed_action(error.code, error.reason)
    except Exception as error:
        # A sentence for whoever reads a log, and what happened for whoever corrects it.
        crashed = failed_action("step_crashed", unforeseen.format(repr(error)))
        return {**crashed, "exception": traceback.format_exc()}
