# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A step that another one plays has all of its options."""

from __future__ import annotations

from ansible_collections.pgops.runbook.plugins.module_utils.step.played import PlayedModule, options_of

SPEC = {
    "target": {"type": "dict", "required": True},
    "jobs": {"type": "int", "default": 2},
    "identity": {"type": "path"},
}


def test_what_is_not_given_has_its_default_and_what_is_not_known_is_left_out() -> None:
    assert options_of(SPEC, {"target": {"login_db": "x"}, "rows": 3}) == {
        "target": {"login_db": "x"},
        "jobs": 2,
        "identity": None,
    }
    assert options_of(SPEC, {"target": {}, "jobs": 0})["jobs"] == 0


def test_the_answer_and_the_warnings_are_kept() -> None:
    module = PlayedModule({})
    module.warn("look")
    module.fail_json(failed=True, msg="no")
    assert (module.answer, module.warnings) == ({"failed": True, "msg": "no"}, ["look"])
