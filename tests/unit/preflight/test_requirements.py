# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A header that declares its requirements names the makers of everything that the migration uses."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.preflight.requirements import (
    check_declared,
    makers_of_chain,
)

MADE = {"table public.files": "001", "table public.tags": "002"}


def facts(**requires: list[str] | None) -> list[dict[str, Any]]:
    """Version -> what its header requires; None where it has no such line."""
    return [
        {"version": version[1:], "requires": needed or [], "requires_declared": needed is not None}
        for version, needed in requires.items()
    ]


def check(uses: list[str], known: list[dict[str, Any]], made: dict[str, str] = MADE) -> list[str]:
    """What migration 003 depends on, which uses some objects."""
    proof = {"uses": uses}
    check_declared([{"version": "003", "apply": {"name": "migrations/003.sql"}}], [proof], made, known)
    return proof["depends_on"]


def test_what_is_declared_passes_and_is_noted() -> None:
    known = facts(v001=[], v002=["001"], v003=["001", "002"])
    assert check(["table public.files", "table public.tags"], known) == ["001", "002"]


def test_what_a_requirement_requires_is_required() -> None:
    assert check(["table public.files"], facts(v001=[], v002=["001"], v003=["002"])) == ["001"]


def test_what_the_header_leaves_out_is_refused_by_name() -> None:
    with pytest.raises(
        Refused, match=r"migrations/003.sql uses objects of 002.*It uses table public.tags of 002"
    ):
        check(["table public.files", "table public.tags"], facts(v001=[], v002=[], v003=["001"]))


def test_a_script_without_the_line_requires_all_before_it() -> None:
    assert check(["table public.tags"], facts(v001=[], v002=[], v003=None)) == ["002"]


@pytest.mark.parametrize("maker", ["003", "000"])
def test_its_own_objects_and_those_of_a_script_that_is_gone_need_no_line(maker: str) -> None:
    known = facts(v001=[], v002=[], v003=[])
    assert check(["table public.own"], known, {"table public.own": maker}) == []


def test_the_makers_of_a_chain_are_those_that_added_an_object() -> None:
    table = {"table public.a": {"x": 1}}
    catalogs = {"0": {}, "1": table, "2": {"table public.a": {"x": 2}, "view public.b": {}}}
    evidence = [
        {"version": "001", "catalog_before": "0", "catalog_after": "1"},
        {"version": "002", "catalog_before": "1", "catalog_after": "2"},
    ]
    assert makers_of_chain(evidence, catalogs) == {"table public.a": "001", "view public.b": "002"}
