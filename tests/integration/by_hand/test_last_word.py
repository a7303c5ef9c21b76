# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rows that were changed on both sides of a rollback: a person says who has the last word, and nothing is lost."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.report.salvage import salvage_report

from tests.integration.by_hand.salvage_runs import deploy, items, number, refusal, roll_back
from tests.integration.step_runs import StepRuns

UPDATING = {
    "migrations__002_author": "UPDATE notes SET body = upper(body);",
    "rollback__002_author_rollback": "UPDATE notes SET body = lower(body);",
}


MIXED = "UPDATE notes SET body = 'MiXed' WHERE id IN (1, 3)"


def test_changed_rows_before_the_next_deploy(runs: StepRuns) -> None:
    """What the migration makes of rows is known when it is deployed."""
    runs.write(**UPDATING)
    deploy(runs)
    runs.execute(MIXED)
    roll_back(runs)
    runs.execute("UPDATE notes SET body = 'mine' WHERE id = 1")
    rows = number(runs.another("salvage"), "changed rows")
    assert "goes back with the next deploy" in refusal(runs.another("salvage"), action="put_back", item=rows)
    assert runs.ask("SELECT body FROM notes ORDER BY id") == [("mine",), (None,), ("mixed",)]
    runs.another("salvage").must("salvage", action="put_back", item=rows, prefer="kept")
    assert runs.ask("SELECT body FROM notes ORDER BY id") == [("MiXed",), (None,), ("MiXed",)]


def conflict(runs: StepRuns) -> int:
    """Row 1 was changed on both sides; its item's number."""
    runs.write(**UPDATING)
    deploy(runs)
    runs.execute(MIXED)
    roll_back(runs)
    runs.execute("UPDATE notes SET body = 'since' WHERE id = 1")
    deploy(runs)
    assert runs.ask("SELECT body FROM notes ORDER BY id") == [("SINCE",), (None,), ("MiXed",)]
    return number(runs.another("salvage"), "changed rows")


def test_a_conflict_waits_until_somebody_says_who_has_the_last_word(runs: StepRuns) -> None:
    runs.execute("ALTER TABLE notes ADD COLUMN place int; UPDATE notes SET place = 7")
    rows = conflict(runs)
    (listed,) = [one for one in items(runs.another("salvage")).values() if one["item"] == rows]
    assert listed["reasons"] == {"changed on both sides of the rollback: body": 1}
    look = runs.another("salvage").must("salvage", item=rows)
    (row,) = look["outputs"]["rows"]
    assert (row["key"], row["kept"], row["now"]) == ("id (1)", {"body": "MiXed"}, {"body": "SINCE"})
    assert row["reason"] == "changed on both sides of the rollback: body"
    assert look["changed"] is False
    reason = refusal(runs.another("salvage"), action="put_back", item=rows)
    assert "-e salvage_prefer=kept" in reason
    assert "-e salvage_prefer=now" in reason
    answer = runs.another("salvage").must("salvage", action="put_back", item=rows, prefer="kept")["outputs"]
    assert (answer["returned"], answer["overwritten"]) == (1, 1)
    assert runs.ask("SELECT body FROM notes ORDER BY id") == [("MiXed",), (None,), ("MiXed",)]
    # No deploy brings back what a person has overwritten; a person may.
    (item,) = [one for one in items(runs.another("salvage")).values() if one["kind"] == "changed rows"]
    assert item["item"] == answer["overwritten_kept_in"]
    assert item["reasons"] == {f"it was overwritten by hand, by item {rows}": 1}
    runs.another("salvage").must("salvage", action="put_back", item=item["item"], prefer="kept")
    assert runs.ask("SELECT body FROM notes ORDER BY id") == [("SINCE",), (None,), ("MiXed",)]


def test_what_is_there_now_may_have_the_last_word(runs: StepRuns) -> None:
    runs.execute("ALTER TABLE notes ADD COLUMN place int; UPDATE notes SET place = 7")
    rows = conflict(runs)
    runs.another("salvage").must("salvage", action="put_back", item=rows, prefer="now")
    assert runs.ask("SELECT body FROM notes ORDER BY id") == [("SINCE",), (None,), ("MiXed",)]
    assert items(runs.another("salvage")) == {}


@pytest.mark.parametrize(
    ("since", "notes"),
    [
        ("SELECT 1", [(1, "one", "ada")]),
        # What is to stand in the new column nobody knows.
        ("ALTER TABLE notes ADD COLUMN place int DEFAULT 7", []),
    ],
)
def test_a_row_that_is_gone_is_made_anew_where_all_of_it_was_kept(
    kept: StepRuns, since: str, notes: list[tuple]
) -> None:
    kept.execute("DELETE FROM notes WHERE id = 1")
    deploy(kept)
    kept.execute(since)
    options = {"action": "put_back", "item": number(kept.another("salvage"), "dropped columns")}
    if notes:
        kept.another("salvage").must("salvage", prefer="kept", **options)
    else:
        assert "1 rows: somebody deleted its row" in refusal(
            kept.another("salvage"), prefer="kept", **options
        )
    assert kept.ask("SELECT id, body, author FROM notes WHERE id = 1") == notes


QUOTED = (
    "CREATE TABLE author (name text PRIMARY KEY, born int);"
    " CREATE TABLE quote (id int PRIMARY KEY, author text REFERENCES author);"
)


def quoted(runs: StepRuns) -> None:
    """A row of users and its parent were kept."""
    runs.write(
        migrations__002_author=QUOTED, rollback__002_author_rollback="DROP TABLE quote; DROP TABLE author;"
    )
    deploy(runs)
    runs.execute("INSERT INTO author VALUES ('Ann', 1900)", "INSERT INTO quote VALUES (1, 'Ann')")
    roll_back(runs)


def test_a_parent_of_which_a_value_has_nowhere_to_go_stays_where_its_child_is_put_back(
    runs: StepRuns,
) -> None:
    """The edited migration no longer makes one of the columns."""
    quoted(runs)
    runs.write(migrations__002_author=QUOTED.replace(", born int", ""))
    deploy(runs)
    run = runs.another("salvage")
    quote = items(run)["dropped table", "public.quote"]["item"]
    reason = refusal(run, action="put_back", item=quote, prefer="kept")
    assert "its parent in public.author is another row now" in reason
    assert (runs.ask("SELECT * FROM author"), runs.ask("SELECT * FROM quote")) == ([], [])


def test_values_of_a_parent_that_comes_along_are_kept_too(runs: StepRuns) -> None:
    quoted(runs)
    deploy(runs, restore_salvage=False)
    runs.execute("INSERT INTO author VALUES ('Ann', 1901)")
    run = runs.another("salvage")
    quote = items(run)["dropped table", "public.quote"]["item"]
    answer = run.must("salvage", action="put_back", item=quote, prefer="kept")["outputs"]
    assert runs.ask("SELECT * FROM author") == [("Ann", 1900)]
    (besides,) = answer["overwritten_besides"]
    assert (besides["table"], besides["rows"]) == ("public.author", 1)
    assert runs.ask(f"SELECT kept FROM runbook_salvage.kept_row WHERE item = {besides['item']}") == [
        ("(Ann,1901)",)
    ]
    (line,) = salvage_report({**answer, "action": "put_back", "check_mode": False}, "library")
    assert f"of public.author, to which it refers, 1 row overwritten, kept as item {besides['item']}" in line


def test_values_that_are_overwritten_are_kept(kept: StepRuns) -> None:
    deploy(kept, restore_salvage=False)
    kept.execute("UPDATE notes SET author = 'since' WHERE id IN (1, 2)")
    columns = number(kept.another("salvage"), "dropped columns")
    answer = kept.another("salvage").must("salvage", action="put_back", item=columns)["outputs"]
    assert (answer["returned"], answer["reasons"]) == (
        1,
        {"changed on both sides of the rollback: author": 1},
    )
    answer = kept.another("salvage").must("salvage", action="put_back", item=columns, overwrite=True)[
        "outputs"
    ]
    authors = [("ada",), ("since",), ("",)]
    assert kept.ask("SELECT author FROM notes ORDER BY id") == authors
    kept.execute("UPDATE notes SET body = 'other column' WHERE id = 1")
    run = kept.another("salvage")
    run.must("salvage", action="put_back", item=answer["overwritten_kept_in"], overwrite=True)
    assert kept.ask("SELECT author, body FROM notes WHERE id = 1") == [("since", "other column")]
