# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Adopting a database: from what a migration makes and what a catalog has, where it stands."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.status.adoption import placement

MADE = {
    "table public.files": {"owner": "ada", "privileges": None, "comment": "x", "persistence": "p"},
    "column public.files.id": {"type": "bigint", "not null": True},
    "index public.files_name_idx": {"definition": "CREATE INDEX ...", "valid": True},
    "function public.f(integer)": {"body": "SELECT 1", "returns": "integer"},
    "column order public.files": {"columns": ["id"]},
}


def changed(key: Any, **facts: Any) -> dict[Any, Any]:
    return {**MADE, key: {**MADE[key], **facts}}


def test_everything_in_place() -> None:
    assert placement(MADE, {**MADE, "table public.other": {}}) == {"state": "in place", "missing": []}


def test_nothing_there() -> None:
    found = placement(MADE, {"table public.other": {}})
    assert found["state"] == "absent"
    assert len(found["missing"]) == 4, "every object, and the order of columns is none"


@pytest.mark.parametrize("key", [key for key in MADE if not key.startswith("column order")])
def test_each_missing_object_is_named(key: Any) -> None:
    found = placement(MADE, {name: facts for name, facts in MADE.items() if name != key})
    assert found == {"state": "partial", "missing": [f"{key} is missing"]}


@pytest.mark.parametrize("fact", ["owner", "privileges", "comment"])
def test_facts_of_the_site_do_not_count(fact: str) -> None:
    assert placement(MADE, changed("table public.files", **{fact: "other"}))["state"] == "in place"


def test_another_definition_is_partial_and_shown() -> None:
    found = placement(MADE, changed("column public.files.id", type="integer"))
    assert found["state"] == "partial"
    assert found["missing"] == ["column public.files.id: type is 'integer', the migration makes 'bigint'"]


def test_an_invalid_index_is_not_in_place() -> None:
    assert placement(MADE, changed("index public.files_name_idx", valid=False))["state"] == "partial"


def test_a_function_with_a_corrected_body_is_in_place() -> None:
    assert placement(MADE, changed("function public.f(integer)", body="SELECT 2"))["state"] == "in place"


def test_columns_added_later_stand_behind_and_do_not_count() -> None:
    assert (
        placement(MADE, changed("column order public.files", columns=["id", "later"]))["state"] == "in place"
    )


@pytest.mark.parametrize("made", [{}, {"column order public.files": {"columns": ["id", "x"]}}])
def test_a_migration_of_data_only_cannot_be_told(made: dict[str, Any]) -> None:
    assert placement(made, MADE) == {"state": "unknown", "missing": []}
