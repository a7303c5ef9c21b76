# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where files lie, and what is in the way, found before the first rename; real files in a real folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.library.folder import LibraryFolder
from ansible_collections.pgops.runbook.plugins.module_utils.library.journal import Move
from ansible_collections.pgops.runbook.plugins.module_utils.library.location import (
    Obstacles,
    add_wanted_files,
    find_obstacles,
    locate_files,
)
from ansible_collections.pgops.runbook.plugins.module_utils.library.paths import temporary_path
from ansible_collections.pgops.runbook.plugins.module_utils.library.plan import RenamePlan


class Library:
    """A folder, a plan, and what was found in the way."""

    def __init__(self, root: Path, plan: RenamePlan, folder: LibraryFolder) -> None:
        self.root, self.plan, self.folder = root, plan, folder
        self.obstacles = Obstacles()

    def located(self, accept_missing: bool = False) -> tuple[int, int]:
        return locate_files(self.plan, self.folder, self.obstacles, True, accept_missing)

    def renames(self) -> list[tuple[str, bytes, bytes]]:
        return list(self.plan.renames())

    def found_in_the_way(self) -> list[str]:
        find_obstacles(self.plan, self.folder, self.obstacles, True)
        return self.obstacles.first


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    for name in ("a b", "c d"):
        (tmp_path / name).write_text(name)
    with contextlib.closing(RenamePlan()) as plan, contextlib.closing(LibraryFolder(str(tmp_path))) as folder:
        yield Library(tmp_path, plan, folder)


def test_ten_obstacles_are_said_and_all_are_counted() -> None:
    obstacles = Obstacles()
    for number in range(10):
        obstacles.add(str(number))
    assert obstacles.summary() == "; ".join(map(str, range(10)))
    obstacles.add("10")
    obstacles.add("11")
    assert (obstacles.total, obstacles.summary()[-12:]) == (12, "; and 2 more")


def test_rows_become_paths_below_the_library(library: Library) -> None:
    changes = [
        ("1", "/lib/a b", "/lib/a_b"),
        ("2", "/lib/gone", None),
        ("3", "/elsewhere/x", "/elsewhere/y"),
        ("4", "/lib/x", "/elsewhere/x"),
        ("5", "/lib/x", "/lib/../x"),
    ]
    assert add_wanted_files(library.plan, "files.path", changes, "/lib", library.obstacles) == 1
    assert sorted(library.plan.wanted()) == [
        ("files.path 1", b"a b", b"a_b"),
        ("files.path 2", b"gone", b"gone"),
    ]
    into, climbs = library.obstacles.first
    assert "leads into or out of the library folder" in into
    assert "has a part '..'" in climbs


def test_a_file_lies_where_it_did_or_where_it_is_to_be(library: Library) -> None:
    library.plan.add_wanted("1", b"a b", b"a_b")
    library.plan.add_wanted("2", b"renamed by hand", b"c d")
    library.plan.add_wanted("3", b"nowhere", b"no_where")
    assert library.located() == (1, 1)
    assert library.renames() == [("1", b"a b", b"a_b")]
    assert library.obstacles.first == ["nowhere is missing"]


def test_a_missing_file_that_is_accepted_is_counted_only(library: Library) -> None:
    library.plan.add_wanted("3", b"nowhere", b"no_where")
    assert library.located(accept_missing=True) == (0, 1)
    assert library.obstacles.total == 0


def test_a_file_of_the_journal_is_known_by_its_number(library: Library) -> None:
    """After a kill 'a b' bears its temporary name; another file has taken the old one meanwhile."""
    status = (library.root / "a b").stat()
    aside = temporary_path(b"a b", "1")
    (library.root / "a b").rename(library.root / aside.decode())
    (library.root / "a b").write_text("of a user")
    library.plan.add_noted(
        Move(file="1", source=b"a b", target=aside, device=status.st_dev, inode=status.st_ino)
    )
    library.plan.add_wanted("1", b"a b", b"a_b")
    assert library.located() == (0, 0)
    assert library.renames() == [("1", aside, b"a_b")]


def test_the_second_name_that_a_kill_has_left_goes(library: Library) -> None:
    status = (library.root / "a b").stat()
    (library.root / "a_b").hardlink_to(library.root / "a b")
    library.plan.add_noted(
        Move(file="1", source=b"a b", target=b"a_b", device=status.st_dev, inode=status.st_ino)
    )
    library.plan.add_wanted("1", b"a b", b"a_b")
    assert library.located() == (1, 0)
    assert sorted(path.name for path in library.root.iterdir()) == ["a_b", "c d"]


def test_what_is_in_the_way_is_said_of_each_file(library: Library) -> None:
    (library.root / "folder").mkdir()
    (library.root / "taken").touch()
    (library.root / "link").symlink_to("a b")
    for file, source, target in (
        ("1", b"a b", b"taken"),
        ("2", b"folder", b"other"),
        ("3", b"link", b"other link"),
        ("4", b"c d", b"no folder/c"),
    ):
        library.plan.add_rename(file, source, target)
    assert sorted(library.found_in_the_way()) == [
        "c d -> no folder/c: folder no folder: No such file or directory",
        "folder is a folder, not a file",
        "link is a symbolic link, not a file",
        "taken exists already, so a b cannot get its name",
    ]


def test_a_name_that_is_given_up_is_free_and_two_files_cannot_share_one(library: Library) -> None:
    library.plan.add_rename("1", b"a b", b"c d")
    library.plan.add_rename("2", b"c d", b"a b")
    assert library.found_in_the_way() == []
    (library.root / "third").touch()
    library.plan.add_rename("3", b"third", b"c d")
    assert library.found_in_the_way() == ["a b and third would both become c d"]
