# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The backup before a rollback: full, the salvage alone, or a restore point whose WAL is seen in the archive."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.backup import files
from ansible_collections.pgops.runbook.plugins.module_utils.backup.emergency import (
    choose_kind,
    restore_point_name,
)
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused

from tests.integration.step_runs import StepRuns


@pytest.mark.parametrize(
    ("wanted", "size", "one_by_one", "kind"),
    [
        ("auto", 100, [], "full"),
        ("auto", 101, [], "salvage"),
        ("auto", 101, ["009"], "full"),
        ("full", 101, [], "full"),
        ("salvage", 1, [], "salvage"),
        ("restore_point", 1, ["009"], "restore_point"),
    ],
)
def test_the_choice(wanted: str, size: int, one_by_one: list[Any], kind: str) -> None:
    found, why = choose_kind(wanted, size, 100, one_by_one)
    assert found == kind
    assert why


def test_salvage_is_no_backup_where_a_rollback_may_stop_half_way() -> None:
    with pytest.raises(Refused, match=r"not its salvage.*-e emergency_backup=full"):
        choose_kind("salvage", 1, 100, ["009"])


def roll_back(runs: StepRuns, **options: Any) -> tuple[StepRuns, dict]:
    runs.deploy()
    run = runs.another("emergency_rollback")
    run.steps("preflight")
    answer = run.step("backup", purpose="emergency", pg_bindir=run.server.bindir, **options)
    return run, answer


def test_a_rollback_on_its_salvage_alone(runs: StepRuns) -> None:
    run, answer = roll_back(runs, kind="salvage")
    assert not answer.get("failed"), answer
    assert (answer["outputs"]["kind"], answer["outputs"]["folder"]) == ("salvage", None)
    run.execute("UPDATE notes SET author = 'ada' WHERE id = 1")
    (done,) = run.must("emergency_rollback")["outputs"]["migrations"]
    assert [(item["kind"], item["rows"]) for item in done["salvage"]] == [("dropped columns", 1)]
    assert not (run.backups / run.run_id).exists()


def test_without_room_for_a_dump_there_is_another_way(
    runs: StepRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.deploy()
    again = runs.another("emergency_rollback", "002")
    again.must("preflight")

    class NoRoom:
        free = 2**20

    monkeypatch.setattr(files.shutil, "disk_usage", lambda path: NoRoom)
    answer = again.step("backup", purpose="emergency")
    assert (answer["outcome"], answer["reason_code"]) == ("refused", "backup_dir_full"), answer
    assert answer["msg"].endswith("and nothing else. -e emergency_backup=salvage")
    again.must("backup", purpose="emergency", kind="salvage")


def test_a_restore_point_without_archiving_is_refused_before_anything_is_changed(runs: StepRuns) -> None:
    for playbook, wanted in (("deploy", "002"), ("emergency_rollback", "001")):
        answer = runs.another(playbook, wanted).step("preflight", emergency_backup="restore_point")
        assert (answer.get("failed"), answer.get("outcome")) == (True, "refused"), playbook
        assert "archive_mode is off" in answer["msg"]
        assert "Nothing was changed" in answer["msg"]
        assert "-e emergency_backup=full" in answer["msg"]
    assert runs.ask("SELECT to_regnamespace('runbook')") == [(None,)]
    _, answer = roll_back(runs, kind="restore_point")
    assert (answer["failed"], answer["outcome"]) == (True, "refused")
    assert "archive_mode is off" in answer["msg"]


ALONE = "-- Transaction: none\nDROP INDEX CONCURRENTLY notes_body;"


@pytest.mark.parametrize("wanted", ["003", "pending"])
def test_salvage_for_a_rollback_that_may_stop_half_way_is_refused_by_the_deploy_itself(
    runs: StepRuns, wanted: str
) -> None:
    runs.write(
        migrations__003_index="-- Requires: 001\nCREATE INDEX notes_body ON notes (body);",
        rollback__003_index_rollback=ALONE,
    )
    answer = runs.another(wanted=wanted).step("preflight", emergency_backup="salvage")
    assert (answer.get("failed"), answer.get("outcome")) == (True, "refused"), answer
    assert "the one of 003 cannot run in one transaction" in answer["msg"]
    assert "Nothing was changed. Another kind of backup: -e emergency_backup=full" in answer["msg"]
    assert runs.ask("SELECT to_regnamespace('runbook')") == [(None,)]
    runs.another(wanted=wanted).must("preflight", emergency_backup="auto")


def test_salvage_is_no_obstacle_where_the_rollback_is_one_transaction(runs: StepRuns) -> None:
    runs.write(migrations__003_index="SELECT 1;", rollback__003_index_rollback=ALONE)
    assert runs.must("preflight", emergency_backup="salvage")["outputs"]["migrations"] == ["002"]


def test_another_migration_of_the_run_is_half_done(runs: StepRuns) -> None:
    """It is finished first, and may rest on what the run has committed: nothing of that goes back by itself."""
    runs.write(
        migrations__003_index="-- Transaction: none\nCREATE INDEX CONCURRENTLY notes_body ON notes (body);\n"
        "SELECT 1 / (current_database() LIKE 'runbook%')::int;",
        rollback__003_index_rollback="DROP INDEX IF EXISTS notes_body;",
    )
    run = runs.another(wanted="pending")
    run.must("preflight", emergency_backup="salvage")
    run.steps("maintenance_window", "backup", "verify_restore", "rehearse")
    answer = run.step("apply")
    assert answer["failed"], answer
    assert answer["committed"] == ["002"]
    run.execute("UPDATE notes SET author = 'ada' WHERE id = 1")
    made = run.must("backup", purpose="emergency", kind="salvage", automatic=True)["outputs"]
    assert (made["folder"], made.get("kind")) == (None, None), "there is nothing to make one for"
    assert run.must("emergency_rollback", automatic=True)["outputs"]["migrations"] == []
    assert run.ask("SELECT author FROM notes WHERE id = 1") == [("ada",)]
    run.conclude("failed")
    answer = runs.another(wanted="002").step("preflight")
    assert "Migration 003 is half done" in answer["msg"]
    assert "ansible-playbook deploy.yml -e migration=003" in answer["msg"]


def test_preflight_of_a_rollback_does_not_ask_for_the_room_of_a_dump(runs: StepRuns) -> None:
    runs.deploy()
    file = runs.folder / "file"
    file.write_text("no folder")
    back = runs.another("emergency_rollback")
    back.must("preflight", backup_dir=str(file))
    answer = back.step("backup", purpose="emergency", backup_dir=str(file))
    assert answer["outcome"] == "refused"
    assert "is not a folder" in answer["msg"]
    back = runs.another("emergency_rollback")
    back.must("preflight", backup_dir=str(file), take_over=answer["receipts"][-1]["run_id"])
    made = back.must("backup", purpose="emergency", backup_dir=str(file), full_max_mb=0)
    assert made["outputs"]["kind"] == "salvage"


@pytest.mark.parametrize("length", [52, 53, 120])
def test_a_restore_point_has_a_name_of_its_own_run(length: int) -> None:
    one, other = restore_point_name("a" * length), restore_point_name("a" * (length - 1) + "b")
    assert len(one) <= 60
    assert one != other
    assert (one == "runbook_" + "a" * length) is (length <= 52)
