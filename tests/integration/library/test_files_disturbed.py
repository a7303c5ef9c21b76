# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Full and read-only disks, strange names, other processes: one clear sentence each, and nothing half done."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.library_on_disk import LibraryOnDisk
from demo.local_server import LocalServer
from tests.integration.step_runs import COLLECTIONS, StepRuns

FILES = 600
NAMES = [f"x/a song {number}.mid" for number in range(FILES)]


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of that size in memory."""
    folder.mkdir(parents=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"a small disk needs the right to mount one: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def read_only(folder: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)


@pytest.fixture
def library(server: LocalServer, database: str, tmp_path: Path) -> LibraryOnDisk:
    return LibraryOnDisk(server, database, tmp_path, NAMES)


def without_blanks(library: LibraryOnDisk) -> None:
    library.change_paths("UPDATE files SET filepath = replace(filepath, ' ', '_')")


def one_sentence(answer: dict, *words: str) -> None:
    assert answer.get("failed"), answer
    assert "Traceback" not in answer["msg"]
    for word in words:
        assert word in answer["msg"]


# The renaming --------------------------------------------------------------------------------------------


def test_a_journal_that_does_not_fit(library: LibraryOnDisk) -> None:
    """Nothing that the journal does not tell of is renamed; with room the next call goes on."""
    without_blanks(library)
    before = library.names()
    with small_disk(library.state, "32k"):
        one_sentence(library.follow(), str(library.state), "no room", "library_state_dir")
        assert library.names() == before
    library.followed()
    assert library.disagreement() is None


def test_where_nothing_is_to_be_renamed_a_full_disk_is_in_nobody_s_way(library: LibraryOnDisk) -> None:
    """The rollback of a deploy whose renaming did not begin."""
    without_blanks(library)
    with small_disk(library.state, "32k"):
        one_sentence(library.follow(), "no room")
        library.change_paths(
            "UPDATE files SET filepath = replace(filepath, 'a_song_', 'a song ')", direction="rollback"
        )
        with contextlib.suppress(OSError), (library.state / "full").open("wb", buffering=0) as file:
            while file.write(b" " * 4096):
                pass
        assert library.followed()["renamed"] == 0
    assert not library.waits()


def test_a_journal_on_a_disk_that_fills_up_meanwhile(
    library: LibraryOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ansible_collections.pgops.runbook.plugins.module_utils.library import journal as rename_journal

    monkeypatch.setattr(rename_journal.RenameJournal, "check_place", lambda *_: None)
    without_blanks(library)
    with small_disk(library.state, "100k"):
        answer = library.follow()
        one_sentence(answer, "No space left on device", "library_state_dir")
        left = library.names()
        assert len([name for name in left if " " not in name.removeprefix("x/")]) in (256, 512), (
            "whole batches"
        )
        journals = library.folder / "kept"
        shutil.copytree(library.state, journals)
    shutil.copytree(journals, library.state, dirs_exist_ok=True)
    monkeypatch.undo()
    library.followed()
    assert library.disagreement() is None


def test_a_state_folder_that_is_read_only(library: LibraryOnDisk) -> None:
    without_blanks(library)
    before = library.names()
    with small_disk(library.state, "1m"):
        read_only(library.state)
        one_sentence(library.follow(), "Read-only file system", "Choose another library_state_dir")
    assert library.names() == before


def test_a_library_that_is_read_only(server: LocalServer, database: str, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "8m") as disk:
        library = LibraryOnDisk(server, database, disk, NAMES)
        library.state = tmp_path / "state"
        without_blanks(library)
        before = library.names()
        read_only(disk)
        one_sentence(library.follow(), "library_root", "cannot be written: Read-only file system")
        assert library.names() == before


def test_names_that_are_no_utf_8(library: LibraryOnDisk) -> None:
    with open(os.fsencode(library.root) + b"/x/caf\xe9.mid", "wb"):  # noqa: PTH123 - a name of bytes
        pass
    without_blanks(library)
    outputs = library.followed()
    assert (outputs["renamed"], outputs["extra_files"]) == (FILES, ["x/caf\\xe9.mid"])


def test_two_databases_with_one_library(server: LocalServer, database: str, library: LibraryOnDisk) -> None:
    """Journals are by database, so they do not keep two apart."""
    import fcntl

    without_blanks(library)
    before = library.names()
    held = os.open(library.root, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        one_sentence(library.follow(), "Another process is renaming files below", str(library.root))
        assert library.names() == before
    finally:
        os.close(held)
    library.followed()


# The look before -----------------------------------------------------------------------------------------


@pytest.fixture
def rehearsed(runs: StepRuns) -> StepRuns:
    runs.library_hosts = ("media1",)
    runs.execute(
        "TRUNCATE notes RESTART IDENTITY",
        f"INSERT INTO notes (body) SELECT 'a song ' || n FROM generate_series(1, {FILES}) n",
    )
    runs.write(
        migrations__002_author="-- Files: rename notes.body\nUPDATE notes SET body = replace(body, ' ', '_');",
        rollback__002_author_rollback="UPDATE notes SET body = replace(body, '_', ' ');",
    )
    (runs.folder / "library").mkdir()
    for number in range(1, FILES + 1):
        (runs.folder / "library" / f"a song {number}").touch()
    runs.up_to("rehearse")
    return runs


def look(runs: StepRuns) -> dict:
    return runs.step("files_check", **options(runs))


def options(runs: StepRuns) -> dict:
    return {
        "library_host": "media1",
        "library_root": str(runs.folder / "library"),
        "library_state_dir": str(runs.folder / "state"),
    }


def test_the_look_finds_a_disk_without_room(rehearsed: StepRuns) -> None:
    with small_disk(rehearsed.folder / "state", "32k"):
        answer = look(rehearsed)
        one_sentence(answer, "no room for the journal", "library_state_dir")
        assert answer["outcome"] == "refused"
    assert rehearsed.step("apply")["outcome"] == "refused"
    assert not look(rehearsed).get("failed")


def test_the_look_finds_a_disk_that_is_full(rehearsed: StepRuns) -> None:
    with small_disk(rehearsed.folder / "state", "8k") as disk:
        (disk / "full").write_bytes(b" " * 8192)
        answer = look(rehearsed)
        one_sentence(answer, "No space left on device", "library_state_dir")
        assert answer["outcome"] == "refused"


@pytest.mark.parametrize("step", ["choose_way", "folds", "check_place", "walk"])
def test_a_look_that_is_killed_leaves_nothing(rehearsed: StepRuns, step: str) -> None:
    """Whatever it was at: no receipt that apply would take, and the next look removes what it had made."""
    folder = rehearsed.folder / "library"
    before = sorted(path.name for path in folder.iterdir())
    code = (
        "import json, os, signal, sys; from ansible.module_utils.testing import patch_module_args\n"
        "from ansible_collections.pgops.runbook.plugins.module_utils.library import file_system, folder, journal\n"
        "from ansible_collections.pgops.runbook.plugins.modules import files_check\n"
        "def killed(*arguments, **options):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        f"if {step!r} == 'choose_way':\n"
        "    file_system.renameat2 = killed\n"
        f"elif {step!r} == 'check_place':\n"
        "    journal.os.fsync = killed\n"
        "else:\n"
        f"    setattr(folder.LibraryFolder, {'walk' if step == 'walk' else 'status'!r}, killed)\n"
        "with patch_module_args(json.load(sys.stdin)):\n    files_check.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=COLLECTIONS,
        input=json.dumps(rehearsed.arguments("files_check", **options(rehearsed))),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -9, done
    assert rehearsed.step("apply")["outcome"] == "refused"
    assert not look(rehearsed).get("failed")
    assert sorted(path.name for path in folder.iterdir()) == before
    assert list((rehearsed.folder / "state").iterdir()) == []
    rehearsed.must("apply")
