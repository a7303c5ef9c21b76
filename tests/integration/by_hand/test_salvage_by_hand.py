# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module salvage: what a person lists, exports, puts back and purges of what a rollback has kept."""

from __future__ import annotations

import contextlib
import csv
import stat
from pathlib import Path

from tests.integration.by_hand.salvage_runs import (
    SALVAGE,
    confirmation,
    deploy,
    items,
    newest_receipt,
    number,
    refusal,
    roll_back,
)
from tests.integration.step_runs import StepRuns


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
