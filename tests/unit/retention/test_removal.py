# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A folder is set aside, and removed so that what tells whose it is goes last; nothing else is touched."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.own_files import NotOurs
from ansible_collections.pgops.runbook.plugins.module_utils.retention import removal

LAST = ("backup/manifest.json", "receipts.json")
NOBODY = 65534


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a run, with a link out of it."""
    made = tmp_path / "run-1"
    (made / "backup" / "dump").mkdir(parents=True)
    for name in ("backup/dump/toc.dat", "backup/dump/1.dat", "backup/manifest.json", "runbook.dump"):
        (made / name).write_text(name)
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "precious").write_text("precious")
    (made / "backup" / "dump" / "link").symlink_to(tmp_path / "victim")
    return made


def test_it_is_removed_and_what_a_link_leads_to_is_not(folder: Path) -> None:
    removal.set_aside(str(folder))
    assert not folder.exists()
    removal.remove_folder(removal.aside(str(folder)), LAST)
    assert [path.name for path in folder.parent.iterdir()] == ["victim"]
    assert (folder.parent / "victim" / "precious").exists()


def test_killed_at_any_moment_it_says_whose_it_is_or_is_empty(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call that removes something is the last one that is made, once."""

    class Killed(BaseException):
        pass

    allowed = 0
    calls = {name: getattr(os, name) for name in ("unlink", "rmdir")}

    def counted(name: str, left: list[int]) -> None:
        def call(*args: object, **options: object) -> None:
            if left[0] == 0:
                raise Killed
            calls[name](*args, **options)
            left[0] -= 1

        monkeypatch.setattr(os, name, call)

    while folder.exists() and allowed < 20:
        left = [1]
        for name in calls:
            counted(name, left)
        with contextlib.suppress(Killed):
            removal.remove_folder(str(folder), LAST)
        monkeypatch.undo()
        allowed += 1
        files = [path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()]
        assert not files or any((folder / name).exists() for name in LAST)
    assert allowed == 8


def test_what_stands_where_it_is_set_aside_is_not_replaced(folder: Path) -> None:
    (folder.parent / f"{removal.PREFIX}run-1").mkdir()
    with pytest.raises(NotOurs, match="stands in its way"):
        removal.set_aside(str(folder))
    assert folder.exists()


@pytest.fixture
def of_nobody() -> Iterator[Path]:
    """A folder that another user can reach, and this process acts as that user."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "dir"
        Path(name).chmod(0o755)
        folder.mkdir(0o755)
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
        try:
            yield folder
        finally:
            os.seteuid(0)


def test_a_read_only_folder_is_an_error_that_says_where(of_nobody: Path) -> None:
    (of_nobody / "run-1" / "backup").mkdir(parents=True)
    (of_nobody / "run-1" / "backup" / "toc.dat").write_text("")
    (of_nobody / "run-1" / "backup").chmod(0o500)
    with pytest.raises(PermissionError) as caught:
        removal.remove_folder(str(of_nobody / "run-1"), LAST)
    assert caught.value.filename == str(of_nobody / "run-1" / "backup" / "toc.dat")
    of_nobody.chmod(0o500)
    with pytest.raises(PermissionError):
        removal.set_aside(str(of_nobody / "run-1"))
    assert (of_nobody / "run-1").exists()
    of_nobody.chmod(0o000)
    with pytest.raises(PermissionError):
        list(removal.entries_named(str(of_nobody), bool))


@pytest.mark.parametrize(
    ("known", "stranger"),
    [
        ({"a": None, "b": removal.OF_FILES}, None),
        ({"a": None, "b": {"c": None}}, None),
        ({"a": None}, "b"),
        ({"a": None, "b": None}, "b"),
        ({"a": removal.OF_FILES, "b": removal.OF_FILES}, "a"),
        ({"a": None, "b": {}}, "b/c"),
    ],
)
def test_what_we_have_not_written_is_found(tmp_path: Path, known: dict, stranger: str | None) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "a").write_text("")
    (tmp_path / "b" / "c").write_text("")
    assert removal.stranger_in(str(tmp_path), known) == stranger


def test_the_size_of_a_folder_is_that_of_its_files_and_of_no_link(tmp_path: Path) -> None:
    (tmp_path / "big").write_text("x" * 5000)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("x" * 10)
    (tmp_path / "folder" / "link").symlink_to(tmp_path / "big")
    (tmp_path / "folder" / "loop").symlink_to(tmp_path)
    links = sum(os.lstat(tmp_path / "folder" / name).st_size for name in ("link",))
    assert removal.size_of(str(tmp_path / "folder")) == 10 + links
