# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The renaming itself, with real files and a real journal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.activity import doing
from ansible_collections.pgops.runbook.plugins.module_utils.errors import StepFailed
from ansible_collections.pgops.runbook.plugins.module_utils.library import renaming as renaming_module
from ansible_collections.pgops.runbook.plugins.module_utils.library.folder import LibraryFolder
from ansible_collections.pgops.runbook.plugins.module_utils.library.journal import BATCH, RenameJournal
from ansible_collections.pgops.runbook.plugins.module_utils.library.plan import RenamePlan
from ansible_collections.pgops.runbook.plugins.module_utils.library.renaming import rename_files

IDENTITY = {"system_identifier": "7", "database": "library", "database_oid": 5}


class Renaming:
    def __init__(self, root: Path, state: Path, plan: RenamePlan, folder: LibraryFolder) -> None:
        self.root, self.state, self.plan, self.folder = root, state, plan, folder

    def wanted(self, **names: str) -> None:
        for source, target in names.items():
            (self.root / source).write_text(source)
            self.plan.add_rename(source, source.encode(), target.encode())

    def done(self) -> int:
        with contextlib.closing(self._journal()) as journal:
            journal.open(True)
            list(journal.read())
            return rename_files(self.plan, self.folder, journal)

    def noted(self) -> list[tuple[bytes, bytes, int]]:
        with contextlib.closing(self._journal()) as journal:
            journal.open(False)
            return [(move["source"], move["target"], move["inode"]) for move in journal.read()]

    def _journal(self) -> RenameJournal:
        return RenameJournal(str(self.state), IDENTITY, 1, str(self.root))

    def names(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in self.root.iterdir()}


@pytest.fixture
def renaming(tmp_path: Path) -> Iterator[Renaming]:
    root = tmp_path / "library"
    root.mkdir()
    with contextlib.closing(RenamePlan()) as plan, contextlib.closing(LibraryFolder(str(root))) as folder:
        yield Renaming(root, tmp_path / "state", plan, folder)


def test_files_that_swap_names_go_through_a_third_and_each_move_is_noted(renaming: Renaming) -> None:
    renaming.wanted(a="b", b="a", c="d")
    inodes = {name: (renaming.root / name).stat().st_ino for name in "abc"}
    assert renaming.done() == 5
    assert renaming.names() == {"b": "a", "a": "b", "d": "c"}
    noted = renaming.noted()
    assert len(noted) == 5
    assert {inode for *_, inode in noted} == set(inodes.values()), "a file keeps its number under each name"
    assert (b"c", b"d", inodes["c"]) in noted


def test_a_name_that_was_taken_since_stops_it_with_the_numbers(renaming: Renaming) -> None:
    renaming.wanted(a="x", b="y", c="z")
    (renaming.root / "y").write_text("of a user")
    with pytest.raises(StepFailed, match="stopped at b -> y after 1 of 3 renames: File exists") as stopped:
        renaming.done()
    assert stopped.value.code == "renaming_stopped"
    assert renaming.names() == {"x": "a", "b": "b", "c": "c", "y": "of a user"}
    assert len(renaming.noted()) == 3, "the journal knows what may have happened"


def test_a_file_that_went_away_is_named_before_its_batch_begins(renaming: Renaming) -> None:
    renaming.wanted(a="x", b="y")
    (renaming.root / "b").unlink()
    with pytest.raises(StepFailed, match="b disappeared while files were being renamed"):
        renaming.done()
    assert renaming.names() == {"a": "a"}
    assert renaming.noted() == []


def test_progress_is_told_after_each_batch(renaming: Renaming, monkeypatch: pytest.MonkeyPatch) -> None:
    renaming.wanted(**{f"old{number}": f"new{number}" for number in range(BATCH + 1)})
    told: list[int] = []
    monkeypatch.setattr(renaming_module, "advance", told.append)
    assert renaming.done() == BATCH + 1
    assert told == [BATCH, 1]
    assert doing()["total"] == BATCH + 1
