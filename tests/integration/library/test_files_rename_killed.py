# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ended at any point, the renaming goes on or back with the next call."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.library import file_system
from ansible_collections.pgops.runbook.plugins.module_utils.library.folder import LibraryFolder
from ansible_collections.pgops.runbook.plugins.module_utils.library.journal import RenameJournal
from ansible_collections.pgops.runbook.plugins.module_utils.library.pending import PendingChanges

from benchmarks import proof_of_file_renames
from benchmarks.library_on_disk import LibraryOnDisk
from demo.local_server import LocalServer

NAMES = ["x/1", "x/2", "x/3", "x/4", "x/5", "y/6", "y/7"]
# A swap, a circle of three over two folders, a chain that ends at a new name, a change of case alone.
PAIRS = {"x/1": "x/2", "x/2": "x/1", "x/3": "x/4", "x/4": "y/6", "y/6": "x/3", "x/5": "x/six", "y/7": "x/5"}


class Killed(BaseException):
    """Ends the process: nobody catches it, nothing is tidied up."""


def killing(function: Callable, calls: int, after: bool) -> Callable:
    """The function, ended before or after it has done its work the given number of times."""
    done = 0

    def call(*arguments: Any, **options: Any) -> Any:
        nonlocal done
        done += 1
        if done == calls and not after:
            raise Killed
        result = function(*arguments, **options)
        if done == calls:
            raise Killed
        return result

    return call


POINTS = [
    *((LibraryFolder, "move", calls, True) for calls in range(1, 14)),
    *((RenameJournal, "note", 1, after) for after in (False, True)),
    *((LibraryFolder, "sync", 1, after) for after in (False, True)),
    *((PendingChanges, "close", 1, after) for after in (False, True)),
    *((RenameJournal, "archive", 1, after) for after in (False, True)),
]


@pytest.mark.parametrize("rolled_back", [False, True], ids=["forward", "back"])
def test_the_next_call_goes_on_or_back(
    server: LocalServer, one_database: str, tmp_path: Path, rolled_back: bool
) -> None:
    for number, (owner, name, calls, after) in enumerate(POINTS):
        library = LibraryOnDisk(server, one_database, tmp_path / str(number), NAMES)
        library.rename(PAIRS)
        point = f"{owner.__name__}.{name} {calls} {'after' if after else 'before'}"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(owner, name, killing(getattr(owner, name), calls, after))
            with pytest.raises(Killed):
                library.follow()
        if rolled_back:
            library.rename({new: old for old, new in PAIRS.items()}, "rollback")
        answer = library.follow()
        assert not answer.get("failed"), f"{point}: {answer['msg']}"
        assert library.disagreement() is None, point
        assert library.waits() is False, point
        assert library.names().keys() == (set(NAMES) if rolled_back else set(PAIRS.values())), point


def refuse_flag(*arguments: Any) -> None:
    raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))


@pytest.mark.parametrize("rolled_back", [False, True], ids=["forward", "back"])
def test_without_renameat2_a_kill_between_link_and_unlink_is_mended(
    server: LocalServer, one_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rolled_back: bool
) -> None:
    """As on NFS, which does not know the flag."""
    monkeypatch.setattr(file_system, "renameat2", refuse_flag)
    for calls in range(2, 13):  # the first is the trial
        library = LibraryOnDisk(server, one_database, tmp_path / str(calls), NAMES)
        library.rename(PAIRS)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "link", killing(os.link, calls, after=True))
            with pytest.raises(Killed):
                library.follow()
        if rolled_back:
            library.rename({new: old for old, new in PAIRS.items()}, "rollback")
        answer = library.follow()
        assert not answer.get("failed"), f"{calls}: {answer['msg']}"
        assert answer["outputs"]["way"] == "link"
        assert library.disagreement() is None, calls


def test_a_file_that_appears_during_the_renames_is_not_replaced(
    server: LocalServer, one_database: str, tmp_path: Path
) -> None:
    library = LibraryOnDisk(server, one_database, tmp_path, ["x/1", "x/2"])
    library.rename({"x/1": "x/one", "x/2": "x/two"})
    move = LibraryFolder.move

    def beside_a_user(self: LibraryFolder, source: bytes, target: bytes) -> None:
        if target == b"x/two":
            library.write("x/two", "of a user")
        move(self, source, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LibraryFolder, "move", beside_a_user)
        answer = library.follow()
    assert answer["failed"]
    assert "x/2 -> x/two after 1 of 2 renames: File exists" in answer["msg"]
    assert library.names() == {"x/one": "x/1", "x/2": "x/2", "x/two": "of a user"}

    # The deploy is rolled back, and so are the names.
    library.rename({"x/one": "x/1", "x/two": "x/2"}, "rollback")
    library.followed()
    assert library.names() == {"x/1": "x/1", "x/2": "x/2", "x/two": "of a user"}


def test_without_its_journal_a_simple_renaming_goes_on_all_the_same(
    server: LocalServer, one_database: str, tmp_path: Path
) -> None:
    library = LibraryOnDisk(server, one_database, tmp_path, ["x/1", "x/2", "x/3"])
    library.rename({"x/1": "x/one", "x/2": "x/two", "x/3": "x/three"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LibraryFolder, "move", killing(LibraryFolder.move, 2, after=True))
        with pytest.raises(Killed):
            library.follow()
    for journal in library.journals():
        journal.unlink()
    outputs = library.followed()
    assert (outputs["renamed"], outputs["in_place"]) == (1, 2)
    assert library.disagreement() is None


def test_real_kills(server: LocalServer) -> None:
    found = proof_of_file_renames.measure(server, 15, Random(15), lambda text: None, files=120)
    assert found.found == found.tried == 15, found.notes
