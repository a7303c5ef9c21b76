# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The journal of renames: whole lines are believed, torn ones cut off, changed ones refused."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.library.journal import BATCH, RenameJournal

from tests.plants import (
    Plant,
    as_root,
    fifo,
    file,
    file_of_another,
    folder_of_another,
    link,
    link_to_file,
    make_victim,
    untouched,
)

IDENTITY = {"system_identifier": "7", "database": "library", "database_oid": 5}
NAMES = [b"a b", b"\xff not utf-8", "日本".encode(), b"new\nline"]


def move(number: int) -> dict:
    name = NAMES[number % len(NAMES)]
    return {"file": str(number), "source": name, "target": name + b"_", "device": 1, "inode": number}


def journal_in(folder: Path, root: str = "/library") -> RenameJournal:
    return RenameJournal(str(folder), IDENTITY, 1, root)


def write(folder: Path, *batches: range) -> Path:
    """A journal with these batches, each behind what was there before."""
    journal = journal_in(folder)
    with contextlib.closing(journal):
        journal.open(True)
        list(journal.read())
        for batch in batches:
            journal.note([move(number) for number in batch])
    return Path(journal.path)


def read(folder: Path, root: str = "/library") -> list[dict]:
    journal = journal_in(folder, root)
    with contextlib.closing(journal):
        journal.open(False)
        return list(journal.read())


def test_what_was_noted_is_read_in_order_and_added_to(tmp_path: Path) -> None:
    write(tmp_path, range(3), range(3, 5))
    write(tmp_path, range(5, 6))
    assert read(tmp_path) == [move(number) for number in range(6)]


def test_there_is_nothing_to_read_where_nothing_was_noted(tmp_path: Path) -> None:
    assert read(tmp_path / "none") == []
    assert not (tmp_path / "none").exists()
    write(tmp_path)
    assert read(tmp_path) == []


def test_a_torn_batch_is_cut_off_wherever_it_was_torn(tmp_path: Path) -> None:
    path = write(tmp_path, range(2))
    whole = path.read_bytes()
    first_line = whole.index(b"\n") + 1
    second_line = whole.index(b"\n", first_line) + 1
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        expected = 0 if length < second_line else 1
        assert read(tmp_path) == [move(number) for number in range(expected)], length
        write(tmp_path, range(7, 8))
        assert read(tmp_path) == [*(move(number) for number in range(expected)), move(7)], length


def test_nothing_of_a_torn_batch_lies_behind_the_next_one(tmp_path: Path) -> None:
    """Torn again and again, the rests would add up to more than a batch, and look like a changed journal."""
    whole = write(tmp_path, range(2)).read_bytes()
    path = write(tmp_path / "torn", range(1))
    with path.open("ab") as file:
        file.write(b"garbage\n" * BATCH)
    write(tmp_path / "torn", range(1, 2))
    assert path.read_bytes() == whole


@pytest.mark.parametrize("rest", [b"\0" * 4096, b"garbage\n" * BATCH])
def test_what_a_loss_of_power_leaves_in_the_last_batch_is_cut_off(tmp_path: Path, rest: bytes) -> None:
    path = write(tmp_path, range(3))
    with path.open("ab") as file:
        file.write(rest)
    assert read(tmp_path) == [move(number) for number in range(3)]


def test_a_changed_line_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, range(BATCH + 3))
    sound = path.read_bytes()
    path.write_bytes(sound.replace(b'"inode":1,', b'"inode":9,', 1))
    with pytest.raises(Refused, match="was changed after it was written \\(line 3\\)"):
        read(tmp_path)


def test_a_journal_of_another_folder_is_refused(tmp_path: Path) -> None:
    write(tmp_path, range(1))
    with pytest.raises(Refused, match="is about /library and database library, not about /other"):
        read(tmp_path, "/other")


def test_only_one_process_writes(tmp_path: Path) -> None:
    first = journal_in(tmp_path)
    with contextlib.closing(first):
        first.open(True)
        with pytest.raises(Refused, match="Another process is renaming files"):
            journal_in(tmp_path).open(True)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match="Choose another library_state_dir"):
        journal_in(tmp_path / "file" / "state").open(True)


def test_archiving_leaves_the_last_journal_and_removes_older_ones(tmp_path: Path) -> None:
    (tmp_path / "renames-7-5-0.journal").write_text("of an earlier change")
    (tmp_path / "renames-7-6-0.journal").write_text("of another database")
    journal = journal_in(tmp_path)
    journal.open(True)
    list(journal.read())
    journal.note([move(1)])
    assert journal.archive() == str(tmp_path / "renames-7-5-last.journal")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "renames-7-5-last.journal",
        "renames-7-6-0.journal",
    ]


# What another user has planted -----------------------------------------------------------------------------


@as_root
@pytest.mark.parametrize("write", [True, False])
@pytest.mark.parametrize("plant", [link_to_file, fifo, file, folder_of_another, file_of_another])
def test_what_another_has_planted_is_neither_believed_nor_written_nor_waited_for(
    tmp_path: Path, plant: Plant, write: bool
) -> None:
    victim, state = make_victim(tmp_path), tmp_path / "state"
    state.mkdir()
    journal = journal_in(state)
    plant(Path(journal.path), victim)
    with contextlib.closing(journal), pytest.raises(Refused) as refused:
        journal.open(write)
    assert refused.value.code == "library_journal_unwritable"
    assert "No file was renamed" in refused.value.reason
    assert untouched(victim)


@as_root
def test_nor_behind_a_link_of_another(tmp_path: Path) -> None:
    victim = make_victim(tmp_path)
    link(tmp_path / "state", victim)
    for attempt in (
        lambda journal: journal.open(True),
        lambda journal: journal.check_place(),
        lambda journal: journal.open(False),
    ):
        with pytest.raises(Refused, match="a link that another user has made"):
            attempt(journal_in(tmp_path / "state"))
    assert untouched(victim)


def test_a_link_of_ours_leads_to_another_disk(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "disk")
    journal_in(tmp_path / "state").check_place()
    write(tmp_path / "state", range(2))
    assert read(tmp_path / "disk") == [move(0), move(1)]
