# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Before production is changed, the disk is asked whether the files can follow what the rehearsal did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.step_runs import StepRuns

STEPS = ("preflight", "maintenance_window", "backup", "verify_restore", "rehearse")
REHEARSED = "SELECT direction, old_path, new_path FROM runbook.path_change_set JOIN runbook.path_change USING (set_id)"


@pytest.fixture
def deploy(runs: StepRuns) -> StepRuns:
    """002 takes blanks out of the names of two files, rehearsed."""
    runs.library_hosts = ("media1",)
    runs.execute(
        "TRUNCATE notes RESTART IDENTITY",
        "INSERT INTO notes (body) VALUES ('x/a b.mid'), ('x/c d.mid'), ('y.mid'), (NULL)",
    )
    runs.write(
        migrations__002_author="-- Files: rename notes.body\nUPDATE notes SET body = replace(body, ' ', '_');",
        rollback__002_author_rollback="UPDATE notes SET body = replace(body, '_', ' ');",
    )
    for path in ("x/a b.mid", "x/c d.mid", "y.mid"):
        file = root(runs) / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(path)
    runs.steps(*STEPS)
    return runs


def root(runs: StepRuns) -> Path:
    return runs.folder / "library"


def check(runs: StepRuns, host: str = "media1", **options: Any) -> dict[str, Any]:
    folders = {"library_root": str(root(runs)), "library_state_dir": str(runs.folder / "state")}
    return runs.step("files_check", **{"library_host": host, **folders, **options})


def refused(runs: StepRuns, *words: str, **options: Any) -> None:
    """The answer says this, no file and no row has changed, and apply is refused too."""
    answer = check(runs, **options)
    assert (answer["failed"], answer["outcome"]) == (True, "refused"), answer
    for word in words:
        assert word in answer["msg"]
    assert "needs the receipt of step files_check" in runs.step("apply")["msg"]
    assert runs.ask("SELECT count(*) FROM notes WHERE body LIKE '%\\_%'") == [(0,)]


def test_what_can_follow_is_applied(deploy: StepRuns) -> None:
    assert deploy.ask(REHEARSED) == [
        ("rehearsed", "x/a b.mid", "x/a_b.mid"),
        ("rehearsed", "x/c d.mid", "x/c_d.mid"),
    ]
    answer = check(deploy, _ansible_diff=True)
    assert (answer["changed"], answer["outputs"]["renames"]) == (True, 2)
    assert answer["diff"]["before"] == "x/a b.mid\nx/c d.mid\n"
    assert answer["diff"]["after"] == "x/a_b.mid\nx/c_d.mid\n"
    left = [path.relative_to(root(deploy)).as_posix() for path in root(deploy).rglob("*") if path.is_file()]
    assert sorted(left) == ["x/a b.mid", "x/c d.mid", "y.mid"]
    assert not list((deploy.folder / "state").iterdir())
    deploy.must("apply")
    assert {direction for direction, *_ in deploy.ask(REHEARSED)} == {"deploy"}


def test_a_name_that_is_taken(deploy: StepRuns) -> None:
    (root(deploy) / "x/a_b.mid").write_text("of somebody else")
    refused(deploy, "Obstacles (1)", "x/a_b.mid exists already, so x/a b.mid cannot get its name")


def test_a_file_that_is_missing_is_said_once(deploy: StepRuns) -> None:
    (root(deploy) / "x/a b.mid").unlink()
    refused(deploy, "Obstacles (1): x/a b.mid is missing")
    assert check(deploy, accept_missing_files=True)["outputs"]["missing"] == 1


def test_a_file_of_another_row_that_is_missing(deploy: StepRuns) -> None:
    (root(deploy) / "y.mid").unlink()
    refused(deploy, "Obstacles (1)", "y.mid")


def test_a_folder_that_is_not_there_or_cannot_be_written(deploy: StepRuns) -> None:
    refused(deploy, "library_root", library_root=str(deploy.folder / "nowhere"))
    (deploy.folder / "file").write_text("")
    refused(
        deploy, "Choose another library_state_dir", library_state_dir=str(deploy.folder / "file" / "state")
    )


def test_paths_of_another_place(deploy: StepRuns) -> None:
    deploy.execute(
        "UPDATE runbook.path_change SET old_path = '/srv/' || old_path, new_path = '/srv/' || new_path",
        "UPDATE notes SET body = '/srv/' || body",
    )
    refused(deploy, "set library_path_prefix")


def test_each_host_is_asked(deploy: StepRuns) -> None:
    deploy.execute("UPDATE runbook.run SET finished = now(), outcome = 'failed'")
    deploy = deploy.another()
    deploy.library_hosts = ("media1", "media2")
    deploy.steps(*STEPS)
    check(deploy)
    assert "files_check for host media2" in deploy.step("apply")["msg"]
    assert "is not one of the library's" in check(deploy, host="media3")["msg"]
    assert "files_check for host media1, media2" in deploy.step("apply")["msg"], (
        "one that failed undoes the others"
    )
    assert not check(deploy).get("failed")
    assert not check(deploy, host="media2").get("failed")
    deploy.must("apply")


def test_it_cannot_come_before_the_rehearsal(runs: StepRuns) -> None:
    runs.library_hosts = ("media1",)
    runs.write(
        migrations__002_author="-- Files: rename notes.body\nUPDATE notes SET body = replace(body, ' ', '_');",
        rollback__002_author_rollback="UPDATE notes SET body = replace(body, '_', ' ');",
    )
    runs.steps("preflight")
    assert "files_check needs the receipt of step" in check(runs)["msg"]


def test_what_was_rehearsed_is_forgotten_with_the_run(deploy: StepRuns) -> None:
    deploy.conclude("refused")
    assert deploy.ask("SELECT count(*) FROM runbook.path_change_set") == [(0,)]
    assert deploy.ask("SELECT count(*) FROM runbook.path_change") == [(0,)]


def test_the_next_rehearsal_takes_the_place_of_one_that_was_killed(deploy: StepRuns) -> None:
    deploy.execute("UPDATE runbook.run SET finished = now(), outcome = 'failed'")
    again = deploy.another()
    again.steps(*STEPS)
    assert len(again.ask(REHEARSED)) == 2
    assert not check(again).get("failed")


def test_check_mode_writes_nothing(deploy: StepRuns) -> None:
    answer = check(deploy, _ansible_check_mode=True)
    assert (answer["changed"], answer["outputs"]) == (False, {"library_host": "media1"})
    assert not (deploy.folder / "state").exists()


def test_a_ledger_of_an_earlier_release(deploy: StepRuns) -> None:
    """Its table takes no rehearsed paths."""
    deploy.conclude("refused")
    deploy.execute(
        "DROP TABLE runbook.release",
        "DELETE FROM runbook.path_change",
        "DELETE FROM runbook.path_change_set",
        "ALTER TABLE runbook.path_change_set DROP CONSTRAINT path_change_set_direction_check",
        "ALTER TABLE runbook.path_change_set ADD CHECK (direction IN ('deploy', 'rollback'))",
    )
    again = deploy.another()
    again.steps(*STEPS)
    assert len(again.ask(REHEARSED)) == 2
