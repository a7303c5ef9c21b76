# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The part of a catalog that is compared under locks."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.bookkeeping import without_bookkeeping
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.difference import difference
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.part import (
    keys_of,
    limited_to,
    with_change,
)

BEFORE = {
    "table public.t": {"owner": "midi", "option fillfactor": "50"},
    "column public.t.a": {"type": "integer"},
    "column public.t.b": {"type": "text", "comment": "of old"},
    "view public.v": {"definition": "SELECT 1"},
}
AFTER = {
    "table public.t": {"owner": "midi"},
    "column public.t.a": {"type": "bigint"},
    "column public.t.b": {"type": "text", "comment": "of new", "default": "1"},
    "index public.i": {"definition": "on b"},
}


def test_a_change_seen_elsewhere_gives_the_catalog_after_it() -> None:
    change = difference(BEFORE, AFTER)
    assert with_change(BEFORE, change) == AFTER
    assert keys_of(change) == BEFORE.keys() | AFTER.keys()
    here = {**BEFORE, "view public.other": {"definition": "SELECT 2"}}
    kept = {key: dict(facts) for key, facts in here.items()}
    assert with_change(here, change) == {**AFTER, "view public.other": {"definition": "SELECT 2"}}
    assert here == kept


def test_all_or_those_that_are_there() -> None:
    assert limited_to(BEFORE, None) == BEFORE
    assert limited_to(BEFORE, {"view public.v", "view public.gone"}) == {
        "view public.v": {"definition": "SELECT 1"}
    }


@pytest.mark.parametrize("kind", ["table", "foreign table"])
def test_a_constraint_of_a_partition_is_told_from_one_of_a_table(kind: str) -> None:
    catalog = {
        f"{kind} public.p": {"partition bound": "DEFAULT"},
        "constraint public.p.c": {"conislocal": True},
    }
    assert without_bookkeeping(limited_to(catalog, {"constraint public.p.c"})) == without_bookkeeping(catalog)
