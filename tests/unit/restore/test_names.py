# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restoring a backup: names, lists of names, and the order of tables, as functions of values."""

from __future__ import annotations

import itertools

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.restore.properties import _elements
from ansible_collections.pgops.runbook.plugins.module_utils.restore.swap import replaced_name
from ansible_collections.pgops.runbook.plugins.module_utils.rows.tables import parents_first

RUN = "20261122T114043Z-midi_library-e59c"


@pytest.mark.parametrize(
    ("database", "run_id", "name"),
    [
        ("midi_library", RUN, "midi_library_before_20261122t114043z_e59c"),
        ("Odd name", "mine", "Odd name_before_mine"),
        ("x" * 63, RUN, "x" * 34 + "_before_20261122t114043z_e59c"),
        ("ü" * 31, RUN, "ü" * 17 + "_before_20261122t114043z_e59c"),
        ("x" + "ü" * 30, RUN, "x" + "ü" * 16 + "_before_20261122t114043z_e59c"),
        ("d", "r" * 120, "d_before_" + "r" * 40),
    ],
)
def test_the_replaced_database_is_called_after_itself_and_the_run(database, run_id, name):
    assert replaced_name(database, run_id) == name
    assert len(name.encode("utf-8")) <= 63


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("public", ["public"]),
        ('"$user", public', ["$user", "public"]),
        ('"a, ""b""",c', ['a, "b"', "c"]),
        ('""', [""]),
        ('"two words"', ["two words"]),
    ],
)
def test_names_in_a_setting_that_is_a_list(value, names):
    assert _elements(value) == names


def test_tables_come_after_those_that_they_reference():
    references = [("line", "book"), ("book", "author"), ("author", "author"), ("line", "unknown")]
    assert parents_first(["author", "book", "line"], references) == ["author", "book", "line"]
    assert parents_first(["line", "book", "author"], references) == ["author", "book", "line"]


def test_tables_in_a_ring_and_in_a_long_chain_all_come_once():
    assert sorted(parents_first(["a", "b", "c"], [("a", "b"), ("b", "c"), ("c", "a")])) == ["a", "b", "c"]
    names = [f"t{number:05d}" for number in range(5000)]
    chain = list(itertools.pairwise(names))
    assert parents_first(names, chain) == names[::-1]
