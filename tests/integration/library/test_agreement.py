# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rows of the database and files of the library, compared both ways, letter by letter."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.library.agreement import FileAgreement
from ansible_collections.pgops.runbook.plugins.module_utils.library.folder import LibraryFolder

COLUMN = "public.files.path"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[LibraryFolder]:
    root = tmp_path / "library"
    (root / "album").mkdir(parents=True)
    (root / "album" / "one.mid").write_bytes(b"1")
    (root / "album" / "no-row.mid").write_bytes(b"2")
    (root / "album" / "link.mid").symlink_to(root / "album" / "one.mid")
    (root / "album" / "folder.mid").mkdir()
    with contextlib.closing(LibraryFolder(str(root))) as found:
        yield found


def agreement(folder: LibraryFolder, *paths: str) -> FileAgreement:
    return FileAgreement(folder, [(COLUMN, path) for path in paths], "/library")


def test_both_ways(folder: LibraryFolder) -> None:
    names = ("one.mid", "gone.mid", "ONE.mid", "link.mid", "folder.mid")
    with contextlib.closing(agreement(folder, *(f"/library/album/{name}" for name in names))) as found:
        assert found.rows() == 5
        assert [sentence for *_, sentence in found.without_file()] == [
            "album/ONE.mid is missing",
            "album/folder.mid is missing",
            "album/gone.mid is missing",
            "album/link.mid is a symbolic link",
        ]
        assert found.without_row(5) == ["album/no-row.mid"]
        assert found.without_row_count() == 1
        assert found.temporary_names() == []


def test_rows_of_another_place_and_paths_that_are_none(folder: LibraryFolder) -> None:
    with contextlib.closing(agreement(folder, "/elsewhere/x.mid", "/library/../x.mid")) as found:
        assert (found.rows(), found.elsewhere, len(found.unusable)) == (0, 1, 1)
