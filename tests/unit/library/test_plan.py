# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plan of renames: whatever changes places with whatever, each file gets its name and none is replaced."""

from __future__ import annotations

import contextlib
import unicodedata
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.library.paths import (
    UnusablePath,
    below_library,
    caseless_key,
    temporary_path,
)
from ansible_collections.pgops.runbook.plugins.module_utils.library.plan import RenamePlan
from hypothesis import example, given, settings
from hypothesis import strategies as st


class FolderModel:
    """Names and what they name, on a file system that may take several spellings for one name."""

    def __init__(self, names: dict[bytes, str], key: Any) -> None:
        self.key = key
        self.entries = {key(name): (name, content) for name, content in names.items()}
        assert len(self.entries) == len(names)

    def move(self, source: bytes, target: bytes) -> None:
        assert self.key(source) in self.entries, f"{source!r} is not there"
        assert self.key(target) not in self.entries, f"{target!r} would be replaced"
        _, content = self.entries.pop(self.key(source))
        self.entries[self.key(target)] = (target, content)

    def names(self) -> dict[bytes, str]:
        return dict(self.entries.values())


def exact(name: bytes) -> bytes:
    return name


def moves_of(renames: dict[str, tuple[bytes, bytes]]) -> list[tuple[str, bytes, bytes]]:
    with contextlib.closing(RenamePlan()) as plan:
        for file, (source, target) in renames.items():
            plan.add_rename(file, source, target)
        moves = list(plan.moves())
        assert plan.count() == (len(renames), len(moves))
    return moves


def unique_for(key: Any) -> Any:
    return lambda names: len({key(name.encode()) for name in names}) == len(names)


# Few letters, so that swaps, chains, circles and changes of case alone are common.
NAME = st.text(st.sampled_from("abAB"), min_size=1, max_size=2) | st.sampled_from(
    ["é", "e\u0301", "É", "ß", "ss", "d/a", "d/A", "D/a"]
)
NAMES = st.lists(NAME, max_size=9, unique=True)


@pytest.mark.parametrize("key", [exact, caseless_key])
@settings(max_examples=300, deadline=None)
@given(sources=NAMES, targets=NAMES)
@example(sources=["a", "b"], targets=["b", "a"])
@example(sources=["a", "b", "c"], targets=["b", "c", "a"])
@example(sources=["a", "b", "c"], targets=["b", "c", "d"])
@example(sources=["a"], targets=["A"])
@example(sources=["a", "B"], targets=["b", "A"])
@example(sources=["e\u0301", "x"], targets=["é", "É"])
def test_every_file_gets_its_name_and_none_is_replaced(key: Any, sources: Any, targets: Any) -> None:
    count = min(len(sources), len(targets))
    pairs = [(a.encode(), b.encode()) for a, b in zip(sources[:count], targets[:count], strict=True)]
    if len({key(a) for a, _ in pairs}) < count or len({key(b) for _, b in pairs}) < count:
        return  # the first cannot be on such a disk, the second is an obstacle (see file_location)
    folder = FolderModel({source: f"content {n}" for n, (source, _) in enumerate(pairs)}, key)
    renames = {str(n): pair for n, pair in enumerate(pairs) if pair[0] != pair[1]}
    # A file that stays is an obstacle where its name is wanted in another spelling; nothing to plan for.
    staying = {key(a) for a, b in pairs if a == b}
    assert not staying & {key(b) for a, b in pairs if a != b}

    for _, source, target in moves_of(renames):
        folder.move(source, target)

    assert folder.names() == {target: f"content {n}" for n, (_, target) in enumerate(pairs)}


def test_a_file_goes_straight_where_its_name_is_wanted_by_nobody() -> None:
    assert moves_of({"1": (b"x/a b", b"x/a_b"), "2": (b"x/c", b"x/d")}) == [
        ("1", b"x/a b", b"x/a_b"),
        ("2", b"x/c", b"x/d"),
    ]


def test_a_temporary_name_is_in_the_same_folder_and_the_same_in_every_run() -> None:
    first, second = temporary_path(b"x/y/a.mid", "files 1"), temporary_path(b"x/y/b.mid", "files 1")
    assert first == second
    assert first.startswith(b"x/y/.pgops-rename-")
    assert temporary_path(b"a", "files 1") != temporary_path(b"a", "files 2")
    assert b"/" not in temporary_path(b"a", "../1")


def test_twins_are_two_that_want_one_name_or_a_name_that_may_be_one() -> None:
    with contextlib.closing(RenamePlan()) as plan:
        plan.add_rename("1", b"a b", b"a_b")
        plan.add_rename("2", b"A B", b"A_B")
        plan.add_rename("3", b"a  b", b"a_b")
        plan.add_rename("4", b"other", b"x/a_b")
        found = {frozenset((target, other)) for target, _, other, _ in plan.twins()}
    assert found == {frozenset({b"a_b", b"A_B"}), frozenset({b"a_b"})}


# Paths ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "prefix", "below"),
    [
        ("/library/a/b.mid", "/library", b"a/b.mid"),
        ("/library/a/b.mid", "/library/", b"a/b.mid"),
        ("a/ü.mid", "/library", "a/ü.mid".encode()),
        ("bare name.mid", "", b"bare name.mid"),
        ("/library2/a", "/library", None),
        ("/other/a", "/library", None),
        ("/library/a", "", None),
        ("C:\\Music\\a.mid", "/library", None),
        ("\\\\server\\a.mid", "/library", None),
        ("back\\slash.mid", "/library", b"back\\slash.mid"),
    ],
)
def test_a_path_of_the_database_is_below_the_library_or_elsewhere(path: str, prefix: str, below: Any) -> None:
    assert below_library(path, prefix) == below


@pytest.mark.parametrize("path", ["/library/../etc/passwd", "../x", "a/./b", "a//b", "/library/", "a/.."])
def test_a_path_that_climbs_or_has_an_empty_part_is_refused(path: str) -> None:
    with pytest.raises(UnusablePath, match="has a part"):
        below_library(path, "/library")


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1, max_size=8))
def test_all_spellings_of_a_name_have_one_key(name: Any) -> None:
    key = caseless_key(name.encode())
    for form in ("NFC", "NFD"):
        assert caseless_key(unicodedata.normalize(form, name).encode()) == key
    assert caseless_key(name.casefold().encode()) == key
