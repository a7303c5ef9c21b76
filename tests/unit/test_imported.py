# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a step imports on its target, where Python compiles it at each start.

The steps of the first and the last minutes of a run import only what they work with; each further room would cost
every run its time, and the emergency rollback too. What is sent is another matter: one payload for all steps, of which
tests/unit/steps tells.
"""

from __future__ import annotations

import functools

import pytest

from tests.unit.test_rooms import MODULES, PLUGINS, imports_of, room_of

SQL_OF_MIGRATIONS = {"rehearsal", "salvage"}
COMPARING = {"catalog", "content"}

LEFT_OUT = {
    "announce": SQL_OF_MIGRATIONS | COMPARING | {"execution", "impact", "preflight", "production"},
    "backup": SQL_OF_MIGRATIONS | {"library", "preflight", "restore"},
    "maintenance_window": SQL_OF_MIGRATIONS | COMPARING | {"execution", "impact", "library", "production"},
    # A precheck is run as any script is, by a file of room execution that others share.
    "preflight": SQL_OF_MIGRATIONS | {"content", "production"},
    "smoke_test": SQL_OF_MIGRATIONS | COMPARING | {"library", "preflight", "production"},
}


@functools.cache
def imported_with(name: str) -> frozenset[str]:
    """Dotted names of the files that a file imports, or one that it imports, and so on."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        one = waiting.pop()
        path = (PLUGINS / one.replace(".", "/")).with_suffix(".py")
        new = {other for other in imports_of(path) if other in MODULES} - found
        found |= new
        waiting += new
    return frozenset(found)


@pytest.mark.parametrize("step", LEFT_OUT)
def test_a_step_imports_no_room_that_it_does_not_work_with(step: str) -> None:
    imported = imported_with(f"modules.{step}")
    assert f"module_utils.steps.{step}" in imported
    assert sorted(one for one in imported if room_of(one)[1] in LEFT_OUT[step]) == []


def test_what_is_imported_by_way_of_another_file_is_seen() -> None:
    assert "module_utils.content.fingerprint" in imported_with("module_utils.steps.verify_restore")
    own = set(imports_of(PLUGINS / "module_utils/steps/verify_restore.py"))
    assert "module_utils.content.fingerprint" not in own
