# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Labels that people added to an enum come back in their places when it is made again."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.labels import (
    add_labels_again,
    labels_added_since,
)

KEY = 'enum public."Mood"'


def test_what_was_added_is_told_with_the_label_before_it() -> None:
    made = {KEY: {"labels": ["b", "d"]}, "table public.t": {}, "enum public.gone": {"labels": ["x"]}}
    now = {KEY: {"labels": ["a", "b", "c", "d", "e"]}, "table public.t": {"labels": ["no enum"]}}
    assert labels_added_since(made, now) == {KEY: [["a", None], ["c", "b"], ["e", "d"]]}
    assert labels_added_since(made, {KEY: {"labels": ["b", "d"]}}) == {}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([["a", None], ["c", "b"], ["e", "d"]], ["a", "b", "c", "d", "e"]),
        ([["x", "b"], ["y", "x"]], ["b", "x", "y", "d"]),
        ([["z", "never there"]], ["b", "d", "z"]),
        ([["d", "b"]], ["b", "d"]),  # is there already
        ([["it's", "d"]], ["b", "d", "it's"]),
    ],
)
def test_they_come_back_in_their_places(connection: Any, labels: list, expected: list[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TYPE \"Mood\" AS ENUM ('b', 'd')")
        assert add_labels_again(cursor, KEY, labels) == []
        cursor.execute('SELECT unnest(enum_range(NULL::"Mood"))::text')
        assert [label for (label,) in cursor.fetchall()] == expected


def test_without_the_type_it_is_said(connection: Any) -> None:
    with connection.cursor() as cursor:
        assert add_labels_again(cursor, KEY, [["a", None]]) == ['public."Mood" is gone']
