# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a module sends to its target: Ansible packs all that it imports, and Python compiles it at each start.

The modules of the first and the last minutes of a run import only what they work with; each further room would cost
every run its time, and the emergency rollback too.
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
    "preflight": SQL_OF_MIGRATIONS | {"content", "execution", "impact", "production"},
    "smoke_test": SQL_OF_MIGRATIONS | COMPARING | {"library", "preflight", "production"},
}


@functools.cache
def sent_with(name: str) -> frozenset[str]:
    """Dotted names of the files that come with a module, or with a file that it imports."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        one = waiting.pop()
        path = (PLUGINS / one.replace(".", "/")).with_suffix(".py")
        new = {other for other in imports_of(path) if other in MODULES} - found
        found |= new
        waiting += new
    return frozenset(found)


@pytest.mark.parametrize("module", LEFT_OUT)
def test_a_module_sends_no_room_that_it_does_not_work_with(module: str) -> None:
    sent = sent_with(f"modules.{module}")
    assert sorted(one for one in sent if room_of(one)[1] in LEFT_OUT[module]) == []


def test_what_is_sent_by_way_of_another_file_is_seen() -> None:
    sent = sent_with("modules.verify_restore")
    assert "module_utils.content.fingerprint" in sent
    assert "module_utils.content.fingerprint" not in set(imports_of(PLUGINS / "modules/verify_restore.py"))
