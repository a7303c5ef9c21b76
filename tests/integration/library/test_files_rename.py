# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files on disk follow the database: real files, real rows, and every way in which the two can be at odds."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from benchmarks.library_on_disk import LibraryOnDisk
from demo.local_server import LocalServer

NAMES = ["x/a b.mid", "x/c d.mid", "y/plain.mid", "y/e.MID"]


@pytest.fixture
def library(server: LocalServer, one_database: str, tmp_path: Path) -> LibraryOnDisk:
    return LibraryOnDisk(server, one_database, tmp_path, NAMES)


def test_files_get_the_names_of_their_rows_and_keep_mode_and_times(library: LibraryOnDisk) -> None:
    path = library.root / "x/a b.mid"
    path.chmod(0o640)
    os.utime(path, ns=(1_000_000_001, 2_000_000_003))
    before = path.stat()
    library.rename({"x/a b.mid": "x/a_b.mid", "y/e.MID": "y/e.mid"})

    outputs = library.followed()

    assert library.names() == {
        "x/a_b.mid": "x/a b.mid",
        "x/c d.mid": "x/c d.mid",
        "y/plain.mid": "y/plain.mid",
        "y/e.mid": "y/e.MID",
    }
    after = (library.root / "x/a_b.mid").stat()
    assert (after.st_mode, after.st_mtime_ns, after.st_ino) == (
        before.st_mode,
        before.st_mtime_ns,
        before.st_ino,
    )
    assert (outputs["renamed"], outputs["rows"], outputs["missing"], outputs["extra"]) == (2, 4, 0, 0)
    assert outputs["way"] == "renameat2"


def test_a_second_run_changes_nothing(library: LibraryOnDisk) -> None:
    library.rename({"x/a b.mid": "x/a_b.mid"})
    assert library.follow()["changed"] is True
    before = library.names()
    again = library.follow()
    assert (again["changed"], again["outputs"]["renamed"], library.names()) == (False, 0, before)


def test_swap_circle_chain_and_change_of_case(library: LibraryOnDisk) -> None:
    library.rename(
        {
            "x/a b.mid": "x/c d.mid",
            "x/c d.mid": "y/plain.mid",
            "y/plain.mid": "x/a b.mid",
            "y/e.MID": "y/E.MID",
        }
    )
    library.followed()
    assert library.names() == {
        "x/c d.mid": "x/a b.mid",
        "y/plain.mid": "x/c d.mid",
        "x/a b.mid": "y/plain.mid",
        "y/E.MID": "y/e.MID",
    }


def test_check_mode_shows_every_pair_and_writes_nothing(library: LibraryOnDisk) -> None:
    library.rename({"x/a b.mid": "x/a_b.mid", "x/c d.mid": "x/c_d.mid"})
    before = library.names()
    ledger = library.execute("SELECT count(*), max(position) FROM runbook.receipt")
    answer = library.follow(_ansible_check_mode=True)
    assert answer["changed"] is True
    assert answer["diff"]["before"] == "x/a b.mid\nx/c d.mid\n"
    assert answer["diff"]["after"] == "x/a_b.mid\nx/c_d.mid\n"
    assert answer["outputs"]["pairs"] == [["x/a b.mid", "x/a_b.mid"], ["x/c d.mid", "x/c_d.mid"]]
    assert library.names() == before
    assert not library.state.exists()
    assert library.execute("SELECT count(*), max(position) FROM runbook.receipt") == ledger


def test_diff_mode_shows_every_pair_and_renames(library: LibraryOnDisk) -> None:
    library.rename({"x/a b.mid": "x/a_b.mid"})
    answer = library.follow(_ansible_diff=True)
    assert (answer["diff"]["before"], answer["diff"]["after"]) == ("x/a b.mid\n", "x/a_b.mid\n")
    assert "x/a_b.mid" in library.names()


def test_extra_files_are_listed_and_left_alone(library: LibraryOnDisk) -> None:
    library.write("x/cover art.jpg")
    library.rename({"x/a b.mid": "x/a_b.mid"})
    outputs = library.followed()
    assert (outputs["extra"], outputs["extra_files"]) == (1, ["x/cover art.jpg"])
    assert library.names()["x/cover art.jpg"] == "x/cover art.jpg"


# Obstacles -----------------------------------------------------------------------------------------------


def refused(library: LibraryOnDisk, *words: str, **options: Any) -> None:
    """Nothing is renamed, not even the file that nothing is in the way of, and every word is said."""
    before = library.names()
    answer = library.follow(**options)
    assert answer.get("failed"), answer
    for word in words:
        assert word in answer["msg"]
    assert "No file was renamed" in answer["msg"]
    assert library.names() == before


def test_an_existing_target_is_found_before_the_first_rename(library: LibraryOnDisk) -> None:
    library.write("x/c_d.mid")
    library.rename({"x/a b.mid": "x/a_b.mid", "x/c d.mid": "x/c_d.mid"})
    refused(library, "Obstacles (1)", "x/c_d.mid exists already, so x/c d.mid cannot get its name")


def test_every_obstacle_is_named(library: LibraryOnDisk) -> None:
    library.write("x/c_d.mid")
    (library.root / "y/e.MID").unlink()
    library.rename({"x/a b.mid": "x/a_b.mid", "x/c d.mid": "x/c_d.mid", "y/e.MID": "y/e.mid"})
    refused(library, "Obstacles (2)", "x/c_d.mid exists already", "y/e.MID is missing")


def test_two_files_for_one_name(library: LibraryOnDisk) -> None:
    library.rename({"x/a b.mid": "x/z.mid", "x/c d.mid": "x/z.mid"})
    refused(library, "x/a b.mid and x/c d.mid would both become x/z.mid")


def test_names_that_differ_in_case_stay_apart_where_the_disk_keeps_them_apart(library: LibraryOnDisk) -> None:
    library.rename({"x/a b.mid": "x/z.mid", "x/c d.mid": "x/Z.mid"})
    library.followed()
    assert {"x/z.mid", "x/Z.mid"} < library.names().keys()


@pytest.mark.parametrize("spelling", ["x/Z.mid", "x/e\u0301.mid"])
def test_names_that_the_file_system_takes_for_one(
    library: LibraryOnDisk, monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    """No file system at hand ignores case; that it is asked, and what follows, is tested with its answer changed."""
    from ansible_collections.pgops.runbook.plugins.module_utils.library.folder import LibraryFolder

    monkeypatch.setattr(LibraryFolder, "folds", lambda self, folder, write: folder == b"x")
    library.rename({"x/a b.mid": "x/z.mid" if spelling == "x/Z.mid" else "x/é.mid", "x/c d.mid": spelling})
    refused(library, "would both become", "is the same name for this file system")


@pytest.mark.parametrize(
    ("kind", "words"), [("link", "a symbolic link"), ("folder", "a folder"), ("pipe", "a device")]
)
def test_a_source_that_is_no_file(library: LibraryOnDisk, kind: str, words: str) -> None:
    path = library.root / "x/a b.mid"
    path.unlink()
    if kind == "link":
        path.symlink_to("c d.mid")
    elif kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    library.rename({"x/a b.mid": "x/a_b.mid", "y/e.MID": "y/e.mid"})
    answer = library.follow()
    assert answer["failed"]
    assert f"x/a b.mid is {words}" in answer["msg"]
    assert (library.root / "y/e.MID").exists()


def test_a_link_out_of_the_library_is_not_followed(library: LibraryOnDisk, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (library.root / "x").rename(outside)
    (library.root / "x").symlink_to(outside)
    library.rename({"x/a b.mid": "x/a_b.mid", "y/e.MID": "y/e.mid"})
    answer = library.follow()
    assert answer["failed"]
    assert "x is a symbolic link" in answer["msg"]
    assert sorted(path.name for path in outside.iterdir()) == ["a b.mid", "c d.mid"]
    assert (library.root / "y/e.MID").exists()


def test_a_link_that_appears_during_the_renames_is_not_followed(
    library: LibraryOnDisk, tmp_path: Path
) -> None:
    from ansible_collections.pgops.runbook.plugins.module_utils.library.folder import (
        LibraryFolder,
        Unreachable,
    )

    folder = LibraryFolder(str(library.root))
    (library.root / "x").rename(tmp_path / "outside")
    (library.root / "x").symlink_to(tmp_path / "outside")
    with pytest.raises(Unreachable, match="x is a symbolic link"):
        folder.move(b"x/a b.mid", b"x/a_b.mid")
    folder.close()
    assert (tmp_path / "outside" / "a b.mid").exists()


def test_a_path_that_climbs(library: LibraryOnDisk) -> None:
    library.rename({"x/a b.mid": "x/../../a_b.mid", "y/e.MID": "y/e.mid"})
    refused(library, "has a part '..'")


def test_a_name_that_is_too_long(library: LibraryOnDisk) -> None:
    library.rename({"x/a b.mid": "x/" + "é" * 128, "y/e.MID": "y/e.mid"})
    refused(library, "File name too long")


def test_a_folder_that_is_missing(library: LibraryOnDisk) -> None:
    library.rename({"x/a b.mid": "new folder/a.mid", "y/e.MID": "y/e.mid"})
    refused(library, "folder new folder: No such file or directory")


def test_a_row_without_a_file_is_an_obstacle_unless_accepted(library: LibraryOnDisk) -> None:
    (library.root / "y/plain.mid").unlink()
    library.rename({"x/a b.mid": "x/a_b.mid"})
    refused(library, "y/plain.mid is missing", "accept_missing_files=true")
    answer = library.follow(accept_missing_files=True)
    assert (answer["changed"], answer["outputs"]["missing"]) == (True, 1)
    assert "x/a_b.mid" in library.names()


def test_paths_elsewhere_are_an_obstacle_unless_accepted(library: LibraryOnDisk) -> None:
    library.execute("INSERT INTO files (filepath) VALUES ('/mnt/other/f g.mid')")
    library.change_paths("UPDATE files SET filepath = replace(filepath, ' ', '_')")
    refused(library, "1 changed paths do not lie below", "library_path_prefix", "accept_paths_elsewhere=true")
    outputs = library.follow(accept_paths_elsewhere=True)["outputs"]
    assert (outputs["renamed"], outputs["changed_elsewhere"], outputs["rows_elsewhere"]) == (2, 1, 1)


def test_the_database_may_write_the_folder_in_another_way(library: LibraryOnDisk) -> None:
    library.execute("UPDATE files SET filepath = replace(filepath, %s, '/media/music')", (str(library.root),))
    library.change_paths("UPDATE files SET filepath = replace(filepath, ' ', '_')")
    answer = library.follow(library_path_prefix="/media/music")
    assert answer["outputs"]["renamed"] == 2, answer
    assert {"x/a_b.mid", "x/c_d.mid"} < library.names().keys()


def test_a_folder_that_is_none(library: LibraryOnDisk, tmp_path: Path) -> None:
    library.rename({"x/a b.mid": "x/a_b.mid"})
    answer = library.follow(library_root=str(tmp_path / "nowhere"))
    assert answer["outcome"] == "refused"
    assert "library_root" in answer["msg"]
    assert "No such file or directory" in answer["msg"]


# Rollback and users --------------------------------------------------------------------------------------


def test_names_come_back_and_users_names_stay(library: LibraryOnDisk) -> None:
    library.rename({"x/a b.mid": "x/a_b.mid", "x/c d.mid": "x/c_d.mid", "y/e.MID": "y/e.mid"})
    library.followed()
    # A user renames one file in the application, and adds one.
    (library.root / "x/c_d.mid").rename(library.root / "x/mine.mid")
    library.execute(
        "UPDATE files SET filepath = %s WHERE filepath LIKE '%%c\\_d.mid'", (f"{library.root}/x/mine.mid",)
    )
    library.write("y/new one.mid")
    library.execute("INSERT INTO files (filepath) VALUES (%s)", (f"{library.root}/y/new one.mid",))

    library.rename({"x/a_b.mid": "x/a b.mid", "y/e.mid": "y/e.MID"}, "rollback")
    outputs = library.followed()

    assert (outputs["direction"], outputs["renamed"], outputs["extra"]) == ("rollback", 2, 0)
    assert library.names() == {
        "x/a b.mid": "x/a b.mid",
        "x/mine.mid": "x/c d.mid",
        "y/plain.mid": "y/plain.mid",
        "y/e.MID": "y/e.MID",
        "y/new one.mid": "y/new one.mid",
    }


def test_a_rollback_before_the_files_had_followed_leaves_them_where_they_were(library: LibraryOnDisk) -> None:
    before = library.names()
    library.rename({"x/a b.mid": "x/c d.mid", "x/c d.mid": "x/a b.mid"})
    library.rename({"x/a b.mid": "x/c d.mid", "x/c d.mid": "x/a b.mid"}, "rollback")
    answer = library.follow()
    assert (answer["changed"], library.names()) == (False, before)
    assert library.execute("SELECT count(*) FROM runbook.path_change_set WHERE closed IS NULL") == [(0,)]


def test_files_that_were_renamed_by_hand_are_found_in_place(library: LibraryOnDisk) -> None:
    library.rename({"x/a b.mid": "x/a_b.mid", "x/c d.mid": "x/c_d.mid"})
    (library.root / "x/a b.mid").rename(library.root / "x/a_b.mid")
    outputs = library.followed()
    assert (outputs["renamed"], outputs["in_place"]) == (1, 1)


def test_a_file_that_a_user_renamed_or_deleted_before_files_followed(library: LibraryOnDisk) -> None:
    library.rename({"x/a b.mid": "x/a_b.mid", "x/c d.mid": "x/c_d.mid"})
    library.execute(
        "UPDATE files SET filepath = %s WHERE filepath LIKE '%%a\\_b.mid'", (f"{library.root}/x/mine.mid",)
    )
    library.execute("DELETE FROM files WHERE filepath LIKE '%c\\_d.mid'")
    (library.root / "x/c d.mid").unlink()
    answer = library.follow(accept_missing_files=True)
    assert not answer.get("failed"), answer
    assert library.names()["x/mine.mid"] == "x/a b.mid"


# The gate ------------------------------------------------------------------------------------------------


def test_the_step_needs_the_receipts_of_the_steps_before_it(library: LibraryOnDisk) -> None:
    library.rename({"x/a b.mid": "x/a_b.mid"})
    library.execute("UPDATE runbook.receipt SET position = -1 WHERE step = 'smoke_test'")
    library.execute("DELETE FROM runbook.receipt WHERE position = -1")
    answer = library.follow()
    assert (answer["failed"], answer["outcome"]) == (True, "refused")
    assert "needs the receipt of step smoke_test" in answer["msg"]
    assert "x/a b.mid" in library.names()


def test_a_receipt_says_what_was_done_and_the_changes_are_closed(library: LibraryOnDisk) -> None:
    library.rename({"x/a b.mid": "x/a_b.mid"})
    answer = library.follow()
    [receipt] = answer["receipts"]
    assert (receipt["step"], receipt["status"], receipt["outputs"]["renamed"]) == ("files_rename", "ok", 1)
    assert library.execute("SELECT count(*) FROM runbook.path_change") == [(0,)]
    assert stat.S_IMODE(library.state.stat().st_mode) == 0o700
    [journal] = library.state.iterdir()
    assert journal.name.endswith("-last.journal")
    assert stat.S_IMODE(journal.stat().st_mode) == 0o600


def test_changes_wait_for_every_host_of_the_library(library: LibraryOnDisk, tmp_path: Path) -> None:
    library.rename({"x/a b.mid": "x/a_b.mid"})
    run = {**library.arguments()["run"], "library_hosts": ["media1", "media2"]}
    assert library.follow(run=run)["outputs"]["renamed"] == 1
    assert library.execute("SELECT count(*) FROM runbook.path_change") == [(1,)]
    again = library.follow(run=run, library_host="media2", library_state_dir=str(tmp_path / "other"))
    assert again["outputs"]["in_place"] == 1
    assert library.execute("SELECT count(*) FROM runbook.path_change") == [(0,)]
