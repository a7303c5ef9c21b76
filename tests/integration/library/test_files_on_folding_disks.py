# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files follow on disks that ignore case, or take two Unicode spellings for one name."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.library.folder import LibraryFolder

from benchmarks.library_on_disk import LibraryOnDisk
from demo.local_server import LocalServer
from tests.integration.library.folding_disk import KINDS, CannotMount, mounted

NAMES = ["x/a b.mid", "x/C D.MID", "y/E.MID"]


@pytest.fixture(params=KINDS)
def library(
    request: pytest.FixtureRequest, server: LocalServer, database: str, tmp_path: Path
) -> Iterator[LibraryOnDisk]:
    with contextlib.ExitStack() as stack:
        try:
            disk = stack.enter_context(mounted(request.param, tmp_path))
        except CannotMount as error:
            pytest.skip(f"{request.param}: {error}")
        yield LibraryOnDisk(server, database, disk, NAMES)


def as_they_are_to_be(library: LibraryOnDisk) -> None:
    assert library.names() == {"x/c d.mid": "x/a b.mid", "x/q.mid": "x/C D.MID", "y/e.mid": "y/E.MID"}


# A change of case alone, and a name in another spelling that is given up.
RENAMES = {"y/E.MID": "y/e.mid", "x/C D.MID": "x/q.mid", "x/a b.mid": "x/c d.mid"}


def test_a_change_of_case_and_a_name_that_is_given_up(library: LibraryOnDisk) -> None:
    library.rename(RENAMES)
    library.followed()
    as_they_are_to_be(library)


@pytest.mark.parametrize("moves", range(1, 6))
def test_what_stopped_goes_on(library: LibraryOnDisk, monkeypatch: pytest.MonkeyPatch, moves: int) -> None:
    library.rename(RENAMES)
    move, done = LibraryFolder.move, []

    def stops(folder: LibraryFolder, source: bytes, target: bytes) -> None:
        if len(done) == moves:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        move(folder, source, target)
        done.append(target)

    monkeypatch.setattr(LibraryFolder, "move", stops)
    answer = library.follow()
    monkeypatch.undo()
    if answer.get("failed"):
        assert f"after {moves} of" in answer["msg"]
        library.followed()
    as_they_are_to_be(library)


def test_two_files_for_one_name(library: LibraryOnDisk) -> None:
    before = library.names()
    library.rename({"x/a b.mid": "x/z.mid", "x/C D.MID": "x/Z.mid"})
    answer = library.follow()
    assert "is the same name for this file system" in answer["msg"]
    assert "No file was renamed" in answer["msg"]
    assert library.names() == before


def test_a_name_that_exists_in_another_spelling(library: LibraryOnDisk) -> None:
    library.write("x/z.mid", "of a user")
    before = library.names()
    library.rename({"x/a b.mid": "x/Z.mid"})
    answer = library.follow()
    assert "x/Z.mid exists already, so x/a b.mid cannot get its name" in answer["msg"]
    assert library.names() == before


def test_two_normal_forms_of_one_name(library: LibraryOnDisk) -> None:
    """One name or two, as the file system has it."""
    (library.folder / "\u00e9").touch()
    one_name = (library.folder / "e\u0301").exists()
    before = library.names()
    library.rename({"x/a b.mid": "x/\u00e9.mid", "x/C D.MID": "x/e\u0301.mid", "y/E.MID": "y/e.mid"})
    answer = library.follow()
    if one_name:
        assert "is the same name for this file system" in answer["msg"]
        assert library.names() == before
    elif answer.get("failed"):
        # Case is ignored, normal form is not: which of the two a folder does is not told apart (see folds).
        assert "is the same name for this file system" in answer["msg"]
        assert library.names() == before
    else:
        assert {"x/\u00e9.mid", "x/e\u0301.mid"} < library.names().keys()
