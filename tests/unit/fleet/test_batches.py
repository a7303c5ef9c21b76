# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""fleet_batches, as people type it and as Ansible makes batches of it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.executor.playbook_executor import PlaybookExecutor
from ansible_collections.pgops.runbook.plugins.filter.fleet_batches import FilterModule
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.plugin_utils.fleet.batches import batches_of, members

GROUPS = {"databases": ["db01", "db02"]}


def serial(hostvars: dict[str, Any], groups: dict[str, list[str]] = GROUPS) -> list[int | str]:
    """What the keyword of a play gets."""
    return FilterModule().filters()["fleet_batches"](hostvars, groups)


HOSTS = [f"db{number:02}" for number in range(1, 41)]


@pytest.mark.parametrize(
    ("value", "sizes"),
    [
        ([1, "10%", "100%"], [1, "10%", "100%"]),
        ("[1, '10%', \"100%\"]", [1, "10%", "100%"]),
        ("1, 10%,100%", [1, "10%", "100%"]),
        ("[1, 10%, 100%]", [1, "10%", "100%"]),
        (5, [5]),
        ("5", [5]),
        (["1", " 20% "], [1, "20%"]),
        ((2,), [2]),
        ([], [1]),
        ("", [1]),
        (None, [1]),
    ],
)
def test_what_people_write(value: Any, sizes: list[int | str]) -> None:
    assert batches_of(value) == sizes


@pytest.mark.parametrize(
    "value",
    [
        [0],
        [-1],
        ["0%"],
        ["101%"],
        ["1.5%"],
        [1.5],
        [True],
        {"canary": 1},
        [[1]],
        "one",
        "[1, 2",
        "{{ 1 }}",
        ["1; x"],
        "²",
    ],
)
def test_what_is_no_list_of_sizes_is_refused_and_the_play_goes_one_by_one_to_where_that_is_said(
    value: Any,
) -> None:
    with pytest.raises(Refused, match="Nothing was done") as refused:
        batches_of(value)
    assert refused.value.code == "fleet_batches_invalid"
    assert serial({"db01": {"fleet_batches": value}}) == [1]


def test_a_play_has_the_batches_of_its_first_host() -> None:
    variables = {"db01": {"fleet_batches": "2,50%"}, "db02": {"fleet_batches": [7]}}
    assert serial(variables) == [2, "50%"]
    assert serial({"db01": {}}) == [1], "it is not set"
    assert serial({}) == [1], "no play has begun, as with --syntax-check"
    assert serial(variables, groups={}) == serial(variables, groups={"databases": []}) == [1]


class _Play:
    order = None

    def __init__(self, serial: list[int | str]) -> None:
        self.serial, self.hosts = serial, "all"


class _Executor:
    """As much of Ansible's as makes batches of hosts."""

    class _inventory:
        @staticmethod
        def get_hosts(*_: Any, **__: Any) -> list[str]:
            return list(HOSTS)


@pytest.mark.parametrize("batches", [[1], [1, "10%", "100%"], [3, 7], ["33%"], [1, "1%"], [100], ["99%", 1]])
def test_the_batches_are_those_that_ansible_makes(batches: list[int | str]) -> None:
    made = PlaybookExecutor._get_serialized_batches(_Executor(), _Play(batches))
    assert members(batches, HOSTS) == made


def test_a_canary_and_then_more() -> None:
    assert [len(batch) for batch in members([1, "10%", "100%"], HOSTS)] == [1, 4, 35]
    assert members([1], []) == []
