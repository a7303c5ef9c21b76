# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A step that another step plays: the same frame and the same work, in the same process, with options of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Optional, cast

from ..shapes import Json
from .step import Step

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

__all__ = ["PlayedModule", "options_of", "play"]


class PlayedModule:
    """Stands in the place of AnsibleModule, which ends the process: it keeps what is answered.

    Args:
        params: options of the step, all of them.

    Attributes:
        answer: what the step answers, as its module would.
        warnings: what it has warned of.
    """

    check_mode = False

    def __init__(self, params: Json) -> None:
        self.params = params
        self.answer: Json = {}
        self.warnings: list[str] = []

    def warn(self, sentence: str) -> None:
        self.warnings.append(sentence)

    def exit_json(self, **answer: Any) -> None:
        self.answer = answer

    def fail_json(self, **answer: Any) -> None:
        self.answer = answer


def options_of(spec: Mapping[str, Any], given: Mapping[str, Any]) -> Json:
    """Options of a step: those that are given, and the defaults of the others; what it does not know is left out.

    Args:
        spec: see options.step_argument_spec().
    """
    return {name: given.get(name, option.get("default")) for name, option in spec.items()}


def play(name: str, params: Json, work: Callable[[Step], Optional[Json]]) -> PlayedModule:
    """Execute a step; whether it failed is in the answer.

    Args:
        name: of the step.
        params: all of its options.
        work: see Step.execute.
    """
    module = PlayedModule(params)
    Step(cast("AnsibleModule", module), name).execute(work)
    return module
