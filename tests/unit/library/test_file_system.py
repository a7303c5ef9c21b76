# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Renaming on a real file system: no file is ever replaced, whichever way is chosen."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.library import file_system
from ansible_collections.pgops.runbook.plugins.module_utils.library.file_system import (
    NoSafeRename,
    Rename,
    choose_rename,
    folds_spellings,
    link_and_unlink,
    renameat2,
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def refuse(*arguments: Any) -> None:
    raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))


@pytest.mark.parametrize("rename", [renameat2, link_and_unlink])
def test_a_file_gets_a_free_name_and_no_other(folder: int, tmp_path: Path, rename: Rename) -> None:
    (tmp_path / "one").write_text("1")
    (tmp_path / "two").write_text("2")
    with pytest.raises(FileExistsError):
        rename(folder, b"one", folder, b"two")
    assert (tmp_path / "one").read_text() + (tmp_path / "two").read_text() == "12"
    rename(folder, b"one", folder, b"three")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["three", "two"]


def test_the_way_is_tried_and_nothing_is_left(
    folder: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert choose_rename(folder) == ("renameat2", renameat2)
    monkeypatch.setattr(file_system, "renameat2", refuse)
    assert choose_rename(folder) == ("link", link_and_unlink)
    monkeypatch.setattr(file_system, "link_and_unlink", refuse)
    with pytest.raises(NoSafeRename, match="Invalid argument"):
        choose_rename(folder)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_gone_can_hold_no_trial(folder: int, tmp_path: Path) -> None:
    tmp_path.rmdir()
    with pytest.raises(OSError, match="No such file"):
        choose_rename(folder)
    tmp_path.mkdir()


def test_trial_files_of_a_killed_process_go_and_those_of_users_stay(folder: int, tmp_path: Path) -> None:
    (tmp_path / ".pgops-probe-0123").touch()
    (tmp_path / ".pgops-probe-kept").write_text("of a user")
    choose_rename(folder)
    assert [path.name for path in tmp_path.iterdir()] == [".pgops-probe-kept"]


def test_spellings_are_told_apart_where_the_file_system_does(folder: int, tmp_path: Path) -> None:
    apart = not (tmp_path / "made").touch() and not (tmp_path / "MADE").exists()
    (tmp_path / "made").unlink()
    assert folds_spellings(folder, False) is True, "no name is there to ask for"
    assert folds_spellings(folder, True) is not apart
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "12").touch()
    assert folds_spellings(folder, False) is True, "a name without letters tells nothing"
    (tmp_path / "name").touch()
    assert folds_spellings(folder, False) is not apart
