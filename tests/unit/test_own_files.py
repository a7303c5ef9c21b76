# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Folders above ours, which the person has named and we make."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.own_files import NotOurs, make_parent


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_no_folder_is_made_in_which_everybody_may_rename(tmp_path: Path, umask: int) -> None:
    make_parent(str(tmp_path / "a" / "b" / "run"))
    make_parent(str(tmp_path / "a" / "b" / "run"))
    for folder in (tmp_path / "a", tmp_path / "a" / "b"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o775 & ~umask
    assert not (tmp_path / "a" / "b" / "run").exists()


def test_what_is_no_folder_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        make_parent(str(tmp_path / "file" / "b" / "run"))
    with pytest.raises(OSError, match="file"):
        make_parent(str(tmp_path / "file" / "run"))
    assert issubclass(NotOurs, OSError)
