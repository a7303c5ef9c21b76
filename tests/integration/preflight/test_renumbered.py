# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files that were renumbered or came with a merge: what is applied is told by text and deploy, not by names."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from tests.integration.step_runs import StepRuns

BONUS = "UPDATE notes SET body = body || '+';"
BACK = "UPDATE notes SET body = left(body, -1);"


@pytest.fixture
def bonus(runs: StepRuns) -> StepRuns:
    """Migration 002 changes rows, and is deployed."""
    runs.write(migrations__002_author=BONUS, rollback__002_author_rollback=BACK)
    return runs.deploy()


def moved(runs: StepRuns, name: str, copy: bool = False) -> StepRuns:
    """The scripts of 002 under another number; the run of a deploy of it."""
    for kind, end in (("migrations", ""), ("rollback", "_rollback")):
        path = runs.sql_dir / kind / f"002_author{end}.sql"
        (shutil.copy if copy else shutil.move)(path, path.with_name(f"{name}{end}.sql"))
    return runs.another(wanted=name.split("_")[0])


@pytest.mark.parametrize("copy", [False, True])
@pytest.mark.parametrize("wanted", ["005", "pending"])
def test_a_text_that_is_applied_is_not_applied_again(bonus: StepRuns, wanted: str, copy: bool) -> None:
    rows = bonus.ask("SELECT body FROM notes ORDER BY id")
    run = moved(bonus, "005_bonus", copy)
    run.migration = wanted
    refused = run.step("preflight")
    assert refused["reason_code"] == "applied_under_another_version", refused
    assert "migrations/005_bonus.sql has the very text that is applied as migration 002" in refused["msg"]
    assert "-e accept_applied_again=005" in refused["msg"]
    assert bonus.ask("SELECT body FROM notes ORDER BY id") == rows
    run.must("preflight", accept_applied_again=True)


def test_what_was_taken_back_may_be_applied_under_another_number(bonus: StepRuns) -> None:
    bonus.another("emergency_rollback").roll_back()
    moved(bonus, "005_bonus").must("preflight")


def table(name: str) -> dict[str, str]:
    return {
        f"migrations__{name}": f"CREATE TABLE made_by_{name} (id int);",
        f"rollback__{name}_rollback": f"DROP TABLE made_by_{name};",
    }


@pytest.fixture
def merged(runs: StepRuns) -> StepRuns:
    """002 and 013 are deployed; then 012 comes with a merge and is the newest."""
    runs.deploy()
    runs.write(**table("013_first"))
    runs.another(wanted="013").deploy()
    runs.write(**table("012_late"))
    runs.another(wanted="012").deploy()
    return runs


def selected(run: StepRuns, **options: Any) -> list[str]:
    return run.must("preflight", **options)["outputs"]["migrations"]


def test_the_newest_is_the_one_that_was_deployed_last(merged: StepRuns) -> None:
    assert selected(merged.another("emergency_rollback", "012")) == ["012"]


def test_what_was_there_before_may_be_needed_by_what_came_later(merged: StepRuns) -> None:
    refused = merged.another("emergency_rollback", "013").step("preflight")
    assert refused["reason_code"] == "needed_by_later_migration"
    assert "012 depend" in refused["msg"]
    assert selected(merged.another("emergency_rollback", "013"), cascade=True) == ["012", "013"]


def test_all_that_came_later_is_told_likewise(merged: StepRuns) -> None:
    run = merged.another("emergency_rollback", "013")
    run.limits = {"down_to": "013"}
    assert selected(run) == ["012"]


def test_one_that_says_what_it_requires_requires_that(merged: StepRuns) -> None:
    text = table("012_late")["migrations__012_late"]
    merged.write(migrations__012_late=f"-- Requires: 002\n{text}")
    assert selected(merged.another("emergency_rollback", "013"), accept_edited_scripts=True) == ["013"]


def test_a_number_that_two_files_have_is_nobodys_in_the_status(runs: StepRuns) -> None:
    runs.deploy()
    runs.write(**table("002_b"))
    status = runs.another("status").must("status")["outputs"]
    states = {one["stem"]: one["state"] for one in status["migrations"]}
    assert states == {"001_notes": "applied", "002_author": "unknown", "002_b": "unknown"}
    assert status["in_place_but_unrecorded"] == status["unknown_versions"] == []
    (sentence,) = status["shared_numbers"]
    assert "records 002, and migrations/002_author.sql, migrations/002_b.sql have that number" in sentence
    assert "By its digest migrations/002_author.sql is the one that was applied." in sentence
    adopted = runs.another("status").must("status", adopt=True)["outputs"]["adoption"]
    assert {version: one["state"] for version, one in adopted.items()} == {
        "002_author": "undecided",
        "002_b": "undecided",
    }
    assert adopted["002_b"]["reason"] == sentence
    assert runs.ask("SELECT version FROM schema_migrations ORDER BY 1") == [("001",), ("002",)]
