# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Drafts are played: those that say nothing give back schema and rows, of the library and of strangers' schemas."""

from __future__ import annotations

import pytest

from benchmarks.drafts import Played, measure, of_library, of_strangers
from benchmarks.strangers import guests
from demo.local_server import LocalServer

# Kinds that lean most on what the database says of them.
SCHEMAS = (
    "comments",
    "disabled_and_invalid",
    "dropped_columns",
    "enums",
    "functions",
    "odd_names",
    "owners_and_privileges",
    "partitions_of_partitions",
    "policies",
    "without_columns",
)


def silent(played: list[Played]) -> list[tuple[str, str]]:
    return [(one.name, one.wrong) for one in played if one.wrong_in_silence]


def test_the_migrations_of_the_library(server: LocalServer) -> None:
    played = list(of_library(server))
    assert silent(played) == []
    assert [(one.name, one.misjudged) for one in played if one.misjudged] == []
    assert len(played) == 10
    assert {one.name for one in played if one.unfinished} == {
        "007_enhanced_tags",  # fills a table from a query, and changes rows
        "update_normalized_filenames",  # DO blocks, and changes rows
    }


def test_the_schemas_of_strangers(server: LocalServer) -> None:
    with guests(server):
        played = list(of_strangers(server, SCHEMAS))
    assert silent(played) == []
    assert [(one.name, one.misjudged) for one in played if one.misjudged] == []
    passed = sum(one.passed for one in played)
    assert passed >= 0.8 * len(played), [one for one in played if not one.passed]


@pytest.mark.parametrize("wrong", [True, False])
def test_one_that_is_wrong_and_says_nothing_fails_the_measurement(wrong: bool) -> None:
    played = [Played("a", (), "a table is missing" if wrong else "", ""), Played("b", (), "", "")]
    assert all(one.passed for one in measure(played)) is not wrong


def test_migrations_of_strangers_have_a_bar_of_their_own() -> None:
    whole, open_one = Played("a", (), ""), Played("b", ("UPDATE changes rows",), "")
    assert all(one.passed for one in measure([whole] * 9 + [open_one], [whole] * 4 + [open_one]))
    assert not all(one.passed for one in measure([whole] * 9 + [open_one], [whole] * 3 + [open_one]))
