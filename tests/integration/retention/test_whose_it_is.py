# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Only what the runbook has made of this very database goes, and only where it is as the runbook has left it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.retention import removal
from ansible_collections.pgops.runbook.plugins.module_utils.retention.backups import TELL_WHOSE

from tests.integration.retention.test_cleanup import backed_up, cleanup, gone, notes, there
from tests.integration.step_runs import StepRuns

KEEP = {"backup_keep": {"count": 0, "days": 0}}


def listing(folder: Path) -> list[str]:
    """All that is below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def a_link(folder: Path, elsewhere: Path) -> None:
    shutil.move(folder, elsewhere / "moved")
    folder.symlink_to(elsewhere / "moved")


def a_link_in_it(folder: Path, elsewhere: Path) -> None:
    shutil.move(folder / "backup" / "dump", elsewhere / "dump")
    (folder / "backup" / "dump").symlink_to(elsewhere / "dump")


def a_note(folder: Path, elsewhere: Path) -> None:
    (folder / "do not delete\n; rm -rf *").write_text("needed for the audit")


def a_file_of_the_dump(folder: Path, elsewhere: Path) -> None:
    (folder / "backup" / "dump" / "precious.dat").write_text("needed for the audit")


def a_folder_in_the_dump(folder: Path, elsewhere: Path) -> None:
    (folder / "backup" / "dump" / "sub").mkdir()


def another_manifest(folder: Path, elsewhere: Path) -> None:
    (folder / "backup" / "manifest.json").write_text("[]")


def no_manifest(folder: Path, elsewhere: Path) -> None:
    (folder / "backup" / "manifest.json").unlink()


def a_fifo(folder: Path, elsewhere: Path) -> None:
    (folder / "backup" / "manifest.json").unlink()
    os.mkfifo(folder / "backup" / "manifest.json")


def of_another_user(folder: Path, elsewhere: Path) -> None:
    os.chown(folder, 65534, 65534)


PLANTS: list[tuple[Callable[[Path, Path], None], str]] = [
    (a_link, "it is no folder of the user"),
    (a_link_in_it, "it holds backup/dump, which"),
    (a_note, "it holds do not delete"),
    (a_file_of_the_dump, "it holds backup/dump/precious.dat, which"),
    (a_folder_in_the_dump, "it holds backup/dump/sub, which"),
    (another_manifest, "its manifest is not the one"),
    (no_manifest, "its manifest is not the one"),
    (a_fifo, "it holds backup/manifest.json, which"),
]
if os.geteuid() == 0:
    PLANTS.append((of_another_user, "it is no folder of the user"))


def test_what_is_not_as_the_runbook_left_it_is_named_and_left_alone(proven: StepRuns, tmp_path: Path) -> None:
    unproven = backed_up(proven)
    folder = unproven.backups / unproven.run_id
    for number, (plant, why) in enumerate(PLANTS):
        elsewhere = tmp_path / f"elsewhere{number}"
        elsewhere.mkdir()
        shutil.copytree(folder, elsewhere / "before", copy_function=shutil.copy2)
        plant(folder, elsewhere)
        before = (listing(proven.backups), listing(elsewhere))
        answer = cleanup(proven, **KEEP)
        assert not answer["changed"], plant.__name__
        (left,) = answer["outputs"]["left_alone"]
        assert (left["folder"], left["why"].startswith(why)) == (str(folder), True), left
        assert (listing(proven.backups), listing(elsewhere)) == before
        folder.unlink() if folder.is_symlink() else shutil.rmtree(folder)
        shutil.copytree(elsewhere / "before", folder)
    assert gone(cleanup(proven, **KEEP)) == [unproven.run_id]


def test_half_a_backup_of_a_run_that_was_killed_is_named(proven: StepRuns) -> None:
    killed = proven.another()
    killed.up_to("maintenance_window")
    (proven.backups / killed.run_id / "backup" / "dump").mkdir(parents=True)
    assert cleanup(proven, **KEEP)["outputs"]["left_alone"] == []
    killed.conclude("failed")
    (left,) = cleanup(proven, **KEEP)["outputs"]["left_alone"]
    assert left["why"] == "backup has no receipt: the run was stopped while it was made"


def test_what_nobody_knows_is_not_looked_into(proven: StepRuns) -> None:
    for name in ("20200101T000000Z-other-0001", ".removed-20200101T000000Z-other-0001", "lost+found"):
        folder = proven.backups / name / "backup" / "dump"
        folder.mkdir(parents=True)
        (folder / "toc.dat").write_text("somebody's")
        (proven.backups / name / "receipts.json").write_text(json.dumps({"receipts": [{"run_id": name}]}))
    (proven.backups / "20200101T000000Z-file-0001").write_text("a file")
    before = listing(proven.backups)
    answer = cleanup(proven, **KEEP)
    assert (answer["changed"], answer["outputs"]["left_alone"], listing(proven.backups)) == (
        False,
        [],
        before,
    )


def test_two_databases_with_one_backup_dir(proven: StepRuns, admin: StepRuns) -> None:
    """A copy of the database, which has its ledger too, and shares the folder: it has not made those backups."""
    backed_up(proven)
    twin = StepRuns(proven.server, f"{proven.database}_twin", proven.folder)
    admin.execute(f"CREATE DATABASE {twin.database} TEMPLATE {proven.database}")
    try:
        before = listing(proven.backups)
        assert gone(cleanup(twin, **KEEP)) == []
        assert listing(proven.backups) == before
        for last in ("verify_restore", "backup"):
            backed_up(twin, last)
        of_both = there(proven)
        (of_twin,) = gone(cleanup(twin, **KEEP))
        assert there(proven) == [name for name in of_both if name != of_twin]
        # Begun by the one, it is not ended by the other.
        (proven.backups / proven.run_id).rename(proven.backups / f".removed-{proven.run_id}")
        assert cleanup(twin, **KEEP)["outputs"]["ended"] == []
        assert cleanup(proven, **KEEP)["outputs"]["ended"] == [
            str(proven.backups / f".removed-{proven.run_id}")
        ]
    finally:
        admin.execute(f"DROP DATABASE {twin.database} WITH (FORCE)")


def test_who_was_killed_over_it_is_followed_by_who_ends_it(proven: StepRuns) -> None:
    """Killed after the renaming, and at any moment of the removal after that."""
    unproven = backed_up(proven)
    aside = proven.backups / f".removed-{unproven.run_id}"
    removal.set_aside(str(proven.backups / unproven.run_id))
    shutil.rmtree(aside / "backup" / "dump")
    answer = cleanup(proven, **KEEP)
    assert (answer["changed"], answer["outputs"]["ended"]) == (True, [str(aside)])
    assert (there(proven), notes(proven)[unproven.run_id]) == ([proven.run_id], True)
    (aside / "backup").mkdir(parents=True)
    assert cleanup(proven, **KEEP)["outputs"]["ended"] == [str(aside)]
    assert there(proven) == [proven.run_id]
    assert not cleanup(proven, **KEEP)["changed"]


def test_what_is_in_the_way_is_a_warning_and_the_ledger_says_nothing(proven: StepRuns) -> None:
    unproven, other = backed_up(proven), backed_up(proven)
    (proven.backups / f".removed-{unproven.run_id}").symlink_to("/nowhere")
    answer = cleanup(proven, **KEEP)
    assert (answer["changed"], gone(answer)) == (True, [other.run_id])
    (warning,) = answer["outputs"]["warnings"]
    assert warning.startswith(
        f"{proven.backups / unproven.run_id} was not removed: something stands in its way"
    )
    assert notes(proven) == {proven.run_id: False, unproven.run_id: False, other.run_id: True}
    assert not cleanup(proven, **KEEP)["changed"]


def test_backup_dir_that_is_another_users_link(proven: StepRuns, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be another user")
    link = tmp_path / "link"
    link.symlink_to(proven.backups)
    os.chown(link, 65534, 65534, follow_symlinks=False)
    answer = proven.another("cleanup").step("cleanup", backup_dir=str(link), **KEEP)
    assert answer["reason_code"] == "backup_dir_unusable"


def test_a_rehearsal_cleans_up_its_own_and_writes_nothing_to_production(proven: StepRuns) -> None:
    backed_up(proven)
    first, second = (proven.another("rehearse") for _ in range(2))
    for rehearsal in (first, second):
        rehearsal.steps("preflight", "backup", "verify_restore")
    before = there(proven)
    assert gone(second.must("cleanup", **KEEP)) == []
    first.conclude("rehearsed")
    ledger = proven.ask("SELECT r::text FROM runbook.run r ORDER BY 1")
    answer = second.must("cleanup", **KEEP)
    assert gone(answer) == [first.run_id]
    assert there(proven) == [name for name in before if name != first.run_id]
    assert proven.ask("SELECT r::text FROM runbook.run r ORDER BY 1") == ledger
    second.conclude("rehearsed")
    assert proven.run_id in gone(cleanup(proven, backup_keep={"count": 0}))
    assert there(proven) == [second.run_id]


def test_what_tells_whose_it_is_goes_last() -> None:
    assert TELL_WHOSE == ("backup/manifest.json", "emergency_backup/manifest.json", "receipts.json")
