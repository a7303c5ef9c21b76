# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Variables that Ansible itself finds fault with are told in the words of whoever set them."""

from __future__ import annotations

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.pgops.runbook.plugins.plugin_utils.record.settings import in_one_sentence

SPEC = {
    "seconds": {"type": "float"},
    "attempts": {"type": "int"},
    "automatic": {"type": "bool"},
    "mode": {"type": "str", "choices": ["none", "block"]},
}


def message(**values: object) -> str:
    """As the task that validates arguments has it."""
    errors = ArgumentSpecValidator(SPEC).validate(values).error_messages
    assert errors
    return "\n".join(["Validation of arguments failed:", *errors])


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"seconds": "abc"}, "seconds is a text, and has to be a number"),
        ({"attempts": "1.5"}, "attempts is a text, and has to be a whole number"),
        ({"automatic": "perhaps"}, "automatic is a text, and has to be yes or no (true, false)"),
        ({"mode": "bogus"}, "value of mode must be one of: none, block, got: bogus"),
    ],
)
def test_a_value_that_cannot_be_used_is_told_without_classes(values: dict[str, object], told: str) -> None:
    assert in_one_sentence(message(**values)) == (
        f"A variable cannot be used: {told}. Nothing was done. Correct it, and type the same command again."
    )


def test_all_of_them_are_told() -> None:
    told = in_one_sentence(message(seconds="x", attempts="y"))
    assert told is not None
    assert "seconds is a text" in told
    assert "; attempts is a text" in told
    assert "class" not in told
    assert "\n" not in told


@pytest.mark.parametrize("other", ["", "no lock", "Something else:\nargument 'x' is of type str"])
def test_what_is_about_something_else_is_left_alone(other: str) -> None:
    assert in_one_sentence(other) is None
