# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module salvage: what a person lists, exports, puts back and purges of what a rollback has kept."""

from __future__ import annotations

import contextlib
import csv
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.report.salvage import salvage_report

from tests.integration.step_runs import StepRuns

SALVAGE = "SELECT item, key, kept, held_back FROM runbook_salvage.kept_row ORDER BY item, number"

# Text that a bad quoting would not survive, and NULL beside the empty string.
WRITES = (
    "INSERT INTO star (mark, blob) VALUES ('it''s, \"quoted\"', '\\x00ff5c'), (NULL, NULL), ('', ''),"
    " (E'two\\nlines \\\\ (and) a {brace}', '\\x27'), ('äöü €', NULL)",
    "UPDATE notes SET author = 'ada' WHERE id = 1",
    "UPDATE notes SET author = '' WHERE id = 3",
)


@pytest.fixture
def kept(runs: StepRuns) -> StepRuns:
    """002 deployed, written to and rolled back; a run of playbook salvage."""
    runs.write(
        migrations__002_author="ALTER TABLE notes ADD COLUMN author text;"
        " CREATE TABLE star (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mark text, blob bytea);",
        rollback__002_author_rollback="DROP TABLE star; ALTER TABLE notes DROP COLUMN author;",
    )
    deploy(runs)
    runs.execute(*WRITES)
    roll_back(runs)
    return runs.another("salvage")


def deploy(runs: StepRuns, **options: Any) -> None:
    run = runs.another()
    run.up_to("verify_restore")
    run.must("rehearse", **options)
    run.must("apply", **options)
    run.conclude("deployed")


def roll_back(runs: StepRuns) -> None:
    runs.another("emergency_rollback").roll_back()


def items(runs: StepRuns) -> dict[tuple[str, str], dict[str, Any]]:
    """(kind, table) -> item, as the module lists them."""
    found = runs.must("salvage")["outputs"]["items"]
    return {(item["kind"], item["table"]): item for item in found}


def number(runs: StepRuns, kind: str) -> int:
    return next(item["item"] for (found, _), item in items(runs).items() if found == kind)


def refusal(runs: StepRuns, **options: Any) -> str:
    """The reason of a refusal, which changes nothing and writes nothing."""
    before = runs.ask(SALVAGE), runs.ask("SELECT count(*) FROM runbook.run")
    answer = runs.step("salvage", **options)
    assert (answer["failed"], answer["changed"]) == (True, False)
    assert (runs.ask(SALVAGE), runs.ask("SELECT count(*) FROM runbook.run")) == before
    return answer["msg"]


def confirmation(runs: StepRuns, **options: Any) -> str:
    """The word that lets a purge happen, out of the refusal that names what would go."""
    return refusal(runs.another("salvage"), action="purge", **options).rpartition("salvage_confirm=")[2]


def newest_receipt(runs: StepRuns) -> dict[str, Any]:
    ((document,),) = runs.ask("SELECT document FROM runbook.receipt ORDER BY position DESC LIMIT 1")
    return json.loads(document)


def test_list_export_restore(kept: StepRuns, tmp_path: Path) -> None:
    answer = kept.must("salvage")
    assert answer["changed"] is False
    listed = items(kept)
    assert {key: item["rows"] for key, item in listed.items()} == {
        ("dropped table", "public.star"): 5,
        ("dropped columns", "public.notes"): 2,
        ("sequence", "public.star_id_seq"): 1,
    }
    assert {item["age_days"] for item in listed.values()} == {0}
    table, columns, sequence = (
        number(kept, kind) for kind in ("dropped table", "dropped columns", "sequence")
    )

    # Exported without the table, which the rollback has dropped.
    export = {"action": "export", "item": table}
    path = tmp_path / "star.csv"
    assert kept.must("salvage", **export, file=str(path), _ansible_check_mode=True)["changed"] is True
    assert list(tmp_path.glob("*.csv")) == []
    kept.must("salvage", **export, file=str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    lines = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines(keepends=True)))
    assert [(row["id"], row["mark"]) for row in lines] == [
        ("1", 'it\'s, "quoted"'),
        ("2", ""),
        ("3", ""),
        ("4", "two\nlines \\ (and) a {brace}"),
        ("5", "äöü €"),
    ]
    assert '\n2,,\n3,"",' in path.read_text(encoding="utf-8"), "NULL is not the empty string"
    for check_mode in (False, True):
        assert "never overwrites a file" in refusal(
            kept, **export, file=str(path), _ansible_check_mode=check_mode
        )
    for wrong, reason in (("star.csv", "full path"), (str(tmp_path / "no" / "x"), "no folder")):
        assert reason in refusal(kept, **export, file=wrong)
    scripts = {}
    for item in (table, columns):
        scripts[item] = tmp_path / f"{item}.sql"
        kept.must("salvage", action="export", item=item, format="sql", file=str(scripts[item]))
    assert "salvage_format=csv" in refusal(
        kept, action="export", item=sequence, format="sql", file=str(tmp_path / "no.sql")
    )
    assert sorted(one.name for one in tmp_path.glob(".salvage*")) == [], "no part of a file stays behind"

    # Its table is there only after a deploy.
    assert f"Deploy migration {kept.migration}" in refusal(kept, action="put_back", item=table)
    assert "has no column author" in refusal(kept, action="put_back", item=columns)
    assert "There is no salvage item 99" in refusal(kept, action="put_back", item=99)
    deploy(kept, restore_salvage=False)

    # What the SQL scripts give is what was there.
    kept.execute("SET datestyle = 'German'", scripts[table].read_text(encoding="utf-8"))
    kept.execute(scripts[columns].read_text(encoding="utf-8"))
    by_script = kept.ask("SELECT * FROM star ORDER BY id"), kept.ask("SELECT * FROM notes ORDER BY id")
    kept.execute("TRUNCATE star", "UPDATE notes SET author = NULL")
    run = kept.another("salvage")
    assert run.must("salvage", action="put_back", item=table, _ansible_check_mode=True)["changed"] is True
    assert run.ask("SELECT count(*) FROM star") == [(0,)]
    # By the name that it had first.
    answer = run.must("salvage", action="restore", item=table)
    assert (answer["outputs"]["returned"], answer["outputs"]["held_back"]) == (5, 0)
    receipt = newest_receipt(run)
    assert (receipt["step"], receipt["run_id"], receipt["outputs"]) == (
        "salvage_restore",
        run.run_id,
        {key: answer["outputs"][key] for key in receipt["outputs"]},
    )
    assert run.ask("SELECT playbook, outcome FROM runbook.run ORDER BY started DESC LIMIT 1") == [
        ("salvage", "salvage restored")
    ]
    assert "There is no salvage item" in refusal(kept.another("salvage"), action="put_back", item=table)

    # Nobody has written to them since, so that nothing is in the way.
    run = kept.another("salvage")
    run.must("salvage", action="put_back", item=columns)
    assert (
        run.ask("SELECT * FROM star ORDER BY id"),
        run.ask("SELECT * FROM notes ORDER BY id"),
    ) == by_script
    kept.another("salvage").must("salvage", action="put_back", item=sequence)
    assert items(kept) == {}
    assert kept.another("status").must("status")["outputs"]["broken_receipt"] is None


def test_a_row_that_was_held_back_goes_when_its_reason_has_gone(runs: StepRuns) -> None:
    runs.write(
        migrations__002_author="CREATE TABLE star (note int REFERENCES notes, id int PRIMARY KEY);",
        rollback__002_author_rollback="DROP TABLE star;",
    )
    deploy(runs)
    runs.execute("INSERT INTO star VALUES (1, 1), (2, 2), (3, 3)")
    roll_back(runs)
    runs.execute("DELETE FROM notes WHERE id < 3")
    deploy(runs)
    (listed,) = items(runs.another("salvage")).values()
    assert listed["reasons"] == {"its parent in public.notes is gone": 2}
    table = listed["item"]
    assert "2 rows: its parent in public.notes is gone" in refusal(
        runs.another("salvage"), action="put_back", item=table
    )
    runs.execute("INSERT INTO notes VALUES (1)")
    answer = runs.another("salvage").must("salvage", action="put_back", item=table)["outputs"]
    assert (answer["returned"], answer["held_back"], answer["overwritten"]) == (1, 1, 0)
    assert runs.ask("SELECT * FROM star ORDER BY id") == [(1, 1), (3, 3)]


def test_a_lock_that_is_not_to_be_had(runs: StepRuns) -> None:
    runs.write(
        migrations__002_author="CREATE TABLE star (id int PRIMARY KEY);",
        rollback__002_author_rollback="DROP TABLE star;",
    )
    deploy(runs)
    runs.execute("INSERT INTO star VALUES (1)")
    roll_back(runs)
    deploy(runs, restore_salvage=False)
    run = runs.another("salvage")
    table = number(run, "dropped table")
    with contextlib.closing(runs.server.connect(runs.database)) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLE star")
        reason = refusal(run, action="put_back", item=table, lock_timeout_seconds=0.1, lock_attempts=1)
    assert "was not put back, nothing was changed: No lock after 1 attempts" in reason
    assert "It is held by: " in reason


def test_purge(kept: StepRuns) -> None:
    everything = kept.ask(SALVAGE)
    table = number(kept, "dropped table")
    for options in ({}, {"item": table, "of_run": "x"}, {"item": table, "older_than_days": 1}):
        assert "in exactly one of three ways" in refusal(kept, action="purge", **options)
    for options, typed in (({}, ""), ({"confirm": "5"}, "salvage_confirm=5 does not confirm")):
        reason = refusal(kept, action="purge", item=table, **options)
        assert typed in reason
        assert "5 rows of public.star" in reason
        assert f"-e salvage_action=purge -e salvage_item={table} -e salvage_confirm=5-" in reason
    word = confirmation(kept, item=table)
    answer = kept.must("salvage", action="purge", item=table, confirm=word, _ansible_check_mode=True)
    assert answer["changed"] is True
    old = kept.must("salvage", action="purge", older_than_days=1)
    assert (old["changed"], old["outputs"]["items"]) == (False, [])
    assert kept.ask(SALVAGE) == everything

    ((digest,),) = kept.ask(f"SELECT digest FROM runbook_salvage.manifest WHERE item = {table}")
    run = kept.another("salvage")
    run.must("salvage", action="purge", item=table, confirm=word)
    receipt = newest_receipt(run)
    assert (receipt["step"], receipt["outputs"]["rows"]) == ("salvage_purge", 5)
    assert [(item["item"], item["digest"]) for item in receipt["outputs"]["items"]] == [(table, digest)]
    kept.execute(
        "UPDATE runbook_salvage.manifest SET kept = kept - interval '90 days' WHERE kind = 'sequence'"
    )
    word = confirmation(kept, older_than_days=90)
    aged = kept.another("salvage").must("salvage", action="purge", older_than_days=90, confirm=word)
    assert [item["age_days"] for item in aged["outputs"]["items"]] == [90]
    ((source,),) = kept.ask("SELECT run_id FROM runbook_salvage.manifest")
    # As many rows, but others: what was looked at is not what would go.
    word = confirmation(kept, of_run=source)
    kept.execute("UPDATE runbook_salvage.kept_row SET kept = '(1,other)' WHERE kept LIKE '%ada%'")
    assert "does not confirm" in refusal(kept.another("salvage"), action="purge", of_run=source, confirm=word)
    word = confirmation(kept, of_run=source)
    kept.another("salvage").must("salvage", action="purge", of_run=source, confirm=word)
    assert kept.ask(SALVAGE) == []
    assert kept.another("salvage").must("salvage", action="purge", of_run=source)["changed"] is False


def test_nothing_is_changed_beside_a_run(kept: StepRuns) -> None:
    table = number(kept, "dropped table")
    kept.another().steps("preflight")
    for options in ({"action": "put_back"}, {"action": "purge", "confirm": "5-0"}):
        for check_mode in (False, True):
            reason = refusal(kept, item=table, _ansible_check_mode=check_mode, **options)
            assert "is in progress in this database, or was interrupted" in reason


def test_without_salvage(runs: StepRuns) -> None:
    run = runs.another("salvage")
    assert run.must("salvage")["outputs"]["items"] == []
    answer = run.step("salvage", action="put_back", item=1)
    assert "There is no salvage in this database" in answer["msg"]
    assert "value of action must be one of" in run.step("salvage", action="burn")["msg"]


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


def test_a_parent_of_which_a_value_has_nowhere_to_go_stays_where_its_child_is_put_back(
    runs: StepRuns,
) -> None:
    """The edited migration no longer makes one of the columns."""
    apply = (
        "CREATE TABLE author (name text PRIMARY KEY, born int);"
        " CREATE TABLE quote (id int PRIMARY KEY, author text REFERENCES author);"
    )
    runs.write(
        migrations__002_author=apply, rollback__002_author_rollback="DROP TABLE quote; DROP TABLE author;"
    )
    deploy(runs)
    runs.execute("INSERT INTO author VALUES ('Ann', 1900)", "INSERT INTO quote VALUES (1, 'Ann')")
    roll_back(runs)
    runs.write(migrations__002_author=apply.replace(", born int", ""))
    deploy(runs)
    run = runs.another("salvage")
    quote = items(run)["dropped table", "public.quote"]["item"]
    reason = refusal(run, action="put_back", item=quote, prefer="kept")
    assert "its parent in public.author is another row now" in reason
    assert (runs.ask("SELECT * FROM author"), runs.ask("SELECT * FROM quote")) == ([], [])


def test_so_are_those_of_a_parent_that_comes_along(runs: StepRuns) -> None:
    runs.write(
        migrations__002_author="CREATE TABLE author (name text PRIMARY KEY, born int);"
        " CREATE TABLE quote (id int PRIMARY KEY, author text REFERENCES author);",
        rollback__002_author_rollback="DROP TABLE quote; DROP TABLE author;",
    )
    deploy(runs)
    runs.execute("INSERT INTO author VALUES ('Ann', 1900)", "INSERT INTO quote VALUES (1, 'Ann')")
    roll_back(runs)
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


def test_privileges_that_were_put_back_are_no_drift(runs: StepRuns) -> None:
    runs.write(
        migrations__002_author="CREATE TABLE star (id int);", rollback__002_author_rollback="DROP TABLE star;"
    )
    deploy(runs)
    runs.execute("GRANT SELECT ON star TO PUBLIC")
    roll_back(runs)
    deploy(runs, restore_salvage=False)
    granted = number(runs.another("salvage"), "privileges")
    runs.another("salvage").must("salvage", action="put_back", item=granted)
    assert runs.ask("SELECT has_table_privilege('pg_monitor', 'star', 'SELECT')") == [(True,)]
    assert runs.another("status").must("status")["outputs"]["drift"] == []


def test_privileges_that_are_put_back_accept_no_drift_that_was_there(runs: StepRuns) -> None:
    runs.write(
        migrations__002_author="CREATE TABLE star (id int);", rollback__002_author_rollback="DROP TABLE star;"
    )
    deploy(runs)
    runs.execute("GRANT SELECT ON star TO PUBLIC")
    roll_back(runs)
    deploy(runs, restore_salvage=False)
    runs.execute("ALTER TABLE star ADD COLUMN foreign_hand int")
    granted = number(runs.another("salvage"), "privileges")
    runs.another("salvage").must("salvage", action="put_back", item=granted)
    assert any("foreign_hand" in line for line in runs.another("status").must("status")["outputs"]["drift"])
