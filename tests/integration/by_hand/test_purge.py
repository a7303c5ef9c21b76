# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which items a purge means, and the word that stands for exactly them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.by_hand.purge import (
    confirm_purge,
    purge_word,
    to_purge,
)
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.shapes import Connection, Cursor

from tests.integration.by_hand.kept import keep_item


@pytest.fixture
def cursor(connection: Connection) -> Iterator[Cursor]:
    """Items 1 and 2 of one run, 3 of another; 1 is ten days old."""
    with connection.cursor() as cursor:
        for run in ("run 1", "run 1", "run 2"):
            keep_item(cursor, "dropped table", [("1", "(1,x)")], run_id=run)
        cursor.execute("UPDATE runbook_salvage.manifest SET kept = kept - interval '10 days' WHERE item = 1")
        yield cursor


@pytest.mark.parametrize(
    ("named", "items"),
    [
        ({"number": 2}, [2]),
        ({"of_run": "run 1"}, [1, 2]),
        ({"of_run": "run 9"}, []),
        ({"older_than_days": 10}, [1]),
        ({"older_than_days": 11}, []),
        ({"older_than_days": 0}, [1, 2, 3]),
    ],
)
def test_the_three_ways_to_name_items(cursor: Cursor, named: dict[str, Any], items: list[int]) -> None:
    assert [item["item"] for item in to_purge(cursor, **named)] == items


@pytest.mark.parametrize("named", [{}, {"number": 1, "of_run": "run 1"}, {"number": 1, "older_than_days": 0}])
def test_none_or_several_ways_are_refused(cursor: Cursor, named: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="in exactly one of three ways") as refused:
        to_purge(cursor, **named)
    assert refused.value.code == "purge_not_named"


def test_the_word_stands_for_these_items_and_their_rows_as_they_are(cursor: Cursor) -> None:
    items = to_purge(cursor, of_run="run 1")
    word = purge_word(items)
    assert word.startswith("2-")
    assert purge_word(list(reversed(items))) == word, "the order does not count"
    confirm_purge(items, word, "")
    assert purge_word(to_purge(cursor, number=1)) != word
    cursor.execute("UPDATE runbook_salvage.kept_row SET kept = '(1,y)' WHERE item = 1")
    with pytest.raises(Refused, match=f"salvage_confirm={word} does not confirm what would be deleted now"):
        confirm_purge(to_purge(cursor, of_run="run 1"), word, "")


def test_what_would_go_is_said_with_the_command_that_lets_it_go(cursor: Cursor) -> None:
    items = to_purge(cursor, number=1)
    with pytest.raises(Refused) as refused:
        confirm_purge(items, "", "-e salvage_action=purge -e salvage_item=1")
    assert "item 1: 1 row of public.star (dropped table, migration 002, run run 1, 10 days old)" in str(
        refused.value
    )
    assert str(refused.value).endswith(
        f"ansible-playbook playbooks/salvage.yml -e salvage_action=purge -e salvage_item=1"
        f" -e salvage_confirm={purge_word(items)}"
    )
    assert refused.value.details["rows"] == 1
