# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names and files of a new migration: numbered as those that there are, never over a file, marked as unfinished."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting.new import Order, begun, drafted
from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting.scaffold import (
    check_name,
    new_stem,
    write_new,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.library import read_sql_library
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.script import SqlScriptError

NOW = datetime(2026, 11, 27, 3, 4, 5, tzinfo=UTC)


def order(folder: Path, name: str = "", migration: str = "", writes: bool = True) -> Order:
    run = {"sql_dir": str(folder), "migration": migration}
    return Order.of({"name": name, "author": "Ada\n-- Unfinished: x"}, run, NOW, writes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "009_notes.sql").write_text(
        "-- Requires: none\nCREATE TABLE notes (id int);\n"
    )
    (tmp_path / "migrations" / "tidy_up.sql").write_text("SELECT 1;\n")
    return tmp_path


@pytest.mark.parametrize(
    ("stems", "expected"),
    [
        ([], "001_add_tags"),
        (["tidy_up"], "001_add_tags"),
        (["001_a", "011_b", "tidy_up"], "012_add_tags"),
        (["9_a", "10_b"], "11_add_tags"),
        (["99_a"], "100_add_tags"),
        (["0001-a", "0002-b"], "0003-add_tags"),
        (["20240131120000_a"], "20261127030405_add_tags"),
        (["20990131120000_a"], "20990131120001_add_tags"),
    ],
)
def test_the_next_number_is_written_as_the_others_are(stems: list[str], expected: str) -> None:
    assert new_stem(stems, "add_tags", NOW) == expected


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "../x",
        "a/b",
        "a b",
        "a.sql",
        "-x",
        "1x",
        "all",
        "pending",
        "x_rollback",
        "ä",
        "a\n",
        "x" * 81,
        "{{ 1 }}",
        "a;b",
        "$(id)",
    ],
)
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(Refused, match="cannot be the name of a migration") as refused:
        check_name(name)
    assert refused.value.code == "new_migration_refused"


def test_four_files_are_begun_and_the_one_that_can_be_run_asks_nothing(folder: Path) -> None:
    answer = begun(order(folder, "add_tags"))
    assert answer["changed"]
    assert [Path(path).relative_to(folder).as_posix() for path in answer["files"]] == [
        "migrations/010_add_tags.sql",
        "rollback/010_add_tags_rollback.sql",
        "precheck/010_add_tags.sql",
        "verify/010_add_tags.sql",
    ]
    migration = read_sql_library(folder).find("010")
    assert migration.requires == ("009",)
    assert migration.requires_declared
    assert "-- Author: Ada -- Unfinished x\n" in migration.apply.text
    for script in (migration.apply, migration.rollback, migration.verify):
        with pytest.raises(SqlScriptError, match="says that it is unfinished") as refused:
            script.parse()
        assert refused.value.code == "script_unfinished"
        assert script.text.split("\n")[refused.value.line - 1].startswith("-- Unfinished: ")
    assert migration.precheck.payload()["statements"] == []


def test_a_second_run_with_the_name_does_nothing(folder: Path) -> None:
    begun(order(folder, "add_tags"))
    (folder / "rollback" / "010_add_tags_rollback.sql").unlink()
    before = sorted(folder.rglob("*"))
    assert begun(order(folder, "add_tags")) == {
        "changed": False,
        "files": [],
        "report": ["Migration 010_add_tags is there already. Nothing was written."],
    }
    assert begun(order(folder, "tidy_up"))["changed"] is False
    assert sorted(folder.rglob("*")) == before


def test_check_mode_says_what_would_be_written(folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    assert len(begun(order(folder, "add_tags", writes=False))["files"]) == 4
    assert sorted(folder.rglob("*")) == before


def test_no_file_is_written_over_and_none_is_left_of_those_beside_it(folder: Path) -> None:
    (folder / "rollback").mkdir()
    (folder / "rollback" / "x.sql").symlink_to("nowhere")
    with pytest.raises(Refused, match=r"rollback/x\.sql cannot be written: it is there already"):
        write_new(folder, {"migrations/x.sql": "a", "rollback/x.sql": "b"})
    assert not (folder / "migrations" / "x.sql").exists()
    assert [path.name for path in folder.rglob(".*")] == []


def test_either_a_name_or_a_migration(folder: Path) -> None:
    for name, migration in (("", ""), ("a", "009")):
        with pytest.raises(Refused, match="Say what is wanted"):
            order(folder, name, migration)


def test_a_folder_of_another_tool_is_left_to_it(tmp_path: Path) -> None:
    (tmp_path / "V1__a.sql").write_text("SELECT 1;")
    with pytest.raises(Refused, match="layout flyway"):
        begun(order(tmp_path, "add_tags"))


def nobody(questions: list[dict]) -> dict:
    """A database that has nothing."""
    around = {"schemas": ["public"], "user": "me", "version": 180000}
    answers = [around if one["type"] == "context" else None for one in questions]
    return {"answers": answers, "applied": [], "database": "books"}


def test_what_is_missing_of_a_migration_is_drafted_and_runs(folder: Path) -> None:
    answer = drafted(order(folder, migration="009"), nobody)
    assert answer["changed"]
    assert answer["unfinished"] == []
    migration = read_sql_library(folder).find("009")
    assert [one.sql for one in migration.rollback.parse().statements] == ["DROP TABLE notes"]
    assert migration.data_loss == "COMPLETE"
    assert migration.rollback.header.requires == ()
    assert migration.verify.parse().statements
    again = drafted(order(folder, migration="009"), nobody)
    assert (again["changed"], again["files"]) == (False, [])


def test_a_file_that_is_there_is_kept(folder: Path) -> None:
    (folder / "rollback").mkdir()
    own = folder / "rollback" / "009_notes_rollback.sql"
    own.write_text("DROP TABLE notes; -- mine")
    answer = drafted(order(folder, migration="009"), nobody)
    assert [Path(path).parent.name for path in answer["files"]] == ["verify"]
    assert own.read_text() == "DROP TABLE notes; -- mine"


def test_of_a_migration_that_is_applied_nothing_is_drafted(folder: Path) -> None:
    with pytest.raises(Refused, match="is applied in books") as refused:
        drafted(order(folder, migration="009"), lambda questions: {**nobody(questions), "applied": ["009"]})
    assert refused.value.code == "already_applied"


def test_an_unfinished_or_broken_or_empty_migration_is_not_drafted_for(folder: Path) -> None:
    path = folder / "migrations" / "009_notes.sql"
    for text, code in (
        ("-- Unfinished: all of it\nSELECT 1;", "script_unfinished"),
        ("CREATE TABLE (", "script_syntax_error"),
        ("-- nothing", "migration_empty"),
    ):
        path.write_text(text)
        with pytest.raises(Refused) as refused:
            drafted(order(folder, migration="009"), nobody)
        assert refused.value.code == code
    assert not (folder / "rollback").exists()


def test_what_comes_from_a_database_without_a_required_migration_is_unfinished(folder: Path) -> None:
    (folder / "migrations" / "010_more.sql").write_text("-- Requires: 009\nDROP VIEW seen;")
    seen = {
        "identity": "public.seen",
        "constraints": {},
        "made": {
            "statements": [{"entry": 1, "kind": "VIEW", "sql": "CREATE VIEW seen AS SELECT 1;"}],
            "columns": [],
        },
    }

    def ask(questions: list[dict]) -> dict:
        answered = nobody(questions)
        answered["answers"] = [
            seen if one["names"] == ["seen"] else answer
            for one, answer in zip(questions, answered["answers"], strict=True)
        ]
        return answered

    answer = drafted(order(folder, migration="010", writes=False), ask)
    assert [one["reason"] for one in answer["unfinished"]] == [
        "The database has yet to get 009: what this takes from it is how it was before these."
    ]
    assert (
        drafted(order(folder, migration="010"), lambda q: {**ask(q), "applied": ["009"]})["unfinished"] == []
    )
