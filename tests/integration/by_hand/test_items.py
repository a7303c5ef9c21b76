# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Items by their number, and a whole run of its own in the ledger."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.by_hand.items import find_item, kept_items
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.shapes import Connection

from tests.integration.by_hand.kept import keep_item
from tests.integration.step_runs import StepRuns


def test_an_item_is_found_by_its_number(connection: Connection) -> None:
    with connection.cursor() as cursor:
        keep_item(cursor, "dropped table", [("1", '(1,"a b")')])
        number = keep_item(cursor, "dropped table", [("1", "(1,x)"), ("2", "(2,y)")], table=("other", "moon"))
        item, summary = find_item(cursor, number)
    assert (item["item"], item["schema"], item["table"], item["columns"]) == (
        number,
        "other",
        "moon",
        ["id", "mark"],
    )
    assert (summary["item"], summary["table"], summary["rows"]) == (number, "other.moon", 2)


def test_a_number_that_none_has_is_refused_with_those_that_there_are(connection: Connection) -> None:
    with connection.cursor() as cursor:
        numbers = [keep_item(cursor, "dropped table", [("1", "(1,x)")]) for _ in range(2)]
        cursor.execute("UPDATE runbook_salvage.manifest SET returned = now() WHERE item = %s", (numbers[0],))
        for wrong in (numbers[0], 99):
            with pytest.raises(Refused, match=rf"no salvage item {wrong}, only: {numbers[1]}\.") as refused:
                find_item(cursor, wrong)
            assert refused.value.code == "salvage_item_unknown"
        with pytest.raises(Refused, match="No item is named") as refused:
            find_item(cursor, 0)
        assert refused.value.code == "salvage_item_not_named"


def test_a_database_that_no_rollback_has_kept_anything_in(connection: Connection) -> None:
    with connection.cursor() as cursor, pytest.raises(Refused, match="no rollback has kept anything here"):
        kept_items(cursor)


def test_a_run_that_was_interrupted_keeps_the_salvage_as_it_is(runs: StepRuns) -> None:
    runs.steps("preflight")
    answer = runs.another("salvage").step("salvage", action="purge", of_run="run 1")
    assert (answer["reason_code"], answer["outcome"]) == ("another_run_in_progress", "refused")
    assert runs.run_id in answer["msg"]
