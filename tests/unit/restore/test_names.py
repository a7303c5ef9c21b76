# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restoring a backup: names, and lists of names, as functions of values."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.aftermath import replaced_name
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.lasting_settings import elements

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
def test_the_replaced_database_is_called_after_itself_and_the_run(
    database: str, run_id: Any, name: Any
) -> None:
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
def test_names_in_a_setting_that_is_a_list(value: str, names: list[Any]) -> None:
    assert elements(value) == names
