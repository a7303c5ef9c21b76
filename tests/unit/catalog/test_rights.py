# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Privileges taken apart into rights: as PostgreSQL writes them, and without one migration's change."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.rights import (
    only,
    privileges_of,
    rights_changed,
    rights_of,
    without,
)


def test_names_may_hold_any_sign() -> None:
    privileges = ['"a ""=b/c"=ar*w/"x/=y"', "=r/o", "o=arwdDxtm/o"]
    assert rights_of(privileges)['"a ""=b/c"', '"x/=y"', "r"] is True
    assert rights_of(privileges)["", "o", "r"] is False
    assert privileges_of(rights_of(privileges)) == sorted(privileges)
    assert rights_of(None) == {}


def test_what_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="no privilege"):
        rights_of(["anything"])


def test_each_right_by_itself() -> None:
    was, made = ["a=r/o", "b=r/o"], ["a=rw/o"]
    assert without(["a=rwx/o", "c=r/o"], was, made) == ["a=rx/o", "b=r/o", "c=r/o"]
    assert without(was, was, made) == was, "somebody has given it back already"
    assert without(["a=r*/o"], None, ["a=r/o"]) == []
    assert without(["a=r/o"], ["a=r*/o"], ["a=r/o"]) == ["a=r*/o"]


def test_a_right_that_may_be_granted_on_is_another() -> None:
    before, after = rights_of(["a=rw/o"]), rights_of(["a=r*w/o", "b=w/o"])
    changed = rights_changed(before, after)
    assert changed == {("a", "o", "r"), ("b", "o", "w")}
    assert (only(before, changed), only(after, changed)) == (["a=r/o"], ["a=r*/o", "b=w/o"])
