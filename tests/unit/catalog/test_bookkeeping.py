# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which facts only tell how an object came to be what it is."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.bookkeeping import without_bookkeeping

Catalog = dict[str, dict[str, Any]]


def partitions(**facts: Any) -> Catalog:
    return {
        "table s.root": {},
        'table s."a.b"': {"partition bound": "DEFAULT"},
        "foreign table s.far": {"partition bound": "DEFAULT"},
        'constraint s."a.b".key': facts,
        "constraint s.far.key": facts,
        "constraint s.root.key": facts,
    }


def test_how_a_partition_came_to_its_constraint_is_left_out() -> None:
    plain = without_bookkeeping(partitions(conislocal=True, coninhcount=1, connoinherit=True, definition="x"))
    assert plain['constraint s."a.b".key'] == {"definition": "x"}
    assert plain["constraint s.far.key"] == {"definition": "x"}


def test_of_a_table_that_is_no_partition_inheritance_is_kept() -> None:
    plain = without_bookkeeping(partitions(conislocal=True, coninhcount=1, connoinherit=True))
    assert plain["constraint s.root.key"] == {"conislocal": True, "coninhcount": 1}


@pytest.mark.parametrize("link", ["oprcom", "oprnegate"])
def test_a_link_between_operators_has_two_ends(link: str) -> None:
    one, other = "s.=(int,int)", "s.<>(int,int)"
    plain = without_bookkeeping({f"operator {one}": {link: other}, f"operator {other}": {"owner": "o"}})
    assert plain[f"operator {other}"] == {"owner": "o", link: one}


def test_a_link_to_another_operator_stays() -> None:
    catalog = {"operator a": {"oprnegate": "b"}, "operator b": {"oprnegate": "c"}, "operator d": {}}
    assert without_bookkeeping(catalog) == catalog


def test_the_catalog_is_not_changed() -> None:
    catalog = partitions(connoinherit=True)
    without_bookkeeping(catalog)
    assert catalog == partitions(connoinherit=True)
