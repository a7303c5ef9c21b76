# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What one step has parsed the next one does not parse again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql import folder as reading
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.library import read_sql_library
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.parsed_before import (
    LARGE,
    ParsedBefore,
    parsed_before,
)

TEXT = "SELECT 1;\n" * (LARGE // 10)


def step(folder: Path | None) -> ParsedBefore:
    """A process of its own, as far as this is concerned."""
    begun = ParsedBefore()
    begun.folder = folder
    return begun


def never() -> Any:
    raise AssertionError("parsed again")


def test_a_large_text_is_parsed_by_the_first(tmp_path: Path) -> None:
    assert step(tmp_path).get(TEXT, lambda: ("parsed",), "x.sql") == ("parsed",)
    assert step(tmp_path).get(TEXT, never, "x.sql") == ("parsed",)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(("text", "how"), [(TEXT + " ", "x.sql"), (TEXT, "y.sql")])
def test_another_text_and_another_way_are_something_else(tmp_path: Path, text: str, how: str) -> None:
    step(tmp_path).get(TEXT, lambda: 1, "x.sql")
    assert step(tmp_path).get(text, lambda: 2, how) == 2


@pytest.mark.parametrize("kept", [True, False])
def test_a_small_text_or_one_without_a_folder_is_not_kept(tmp_path: Path, kept: bool) -> None:
    folder, text = (tmp_path, TEXT[1:]) if kept else (None, TEXT)
    assert step(folder).get(text, lambda: 1) == 1
    assert step(folder).get(text, lambda: 2) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", [b"", b"\x80\x05", b"not what was written"])
def test_what_cannot_be_read_is_parsed_again_and_kept(tmp_path: Path, damage: bytes) -> None:
    step(tmp_path).get(TEXT, lambda: 1)
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(damage)
    assert step(tmp_path).get(TEXT, lambda: 2) == 2
    assert step(tmp_path).get(TEXT, never) == 2


def test_a_folder_that_is_gone_holds_up_nobody(tmp_path: Path) -> None:
    assert step(tmp_path / "gone").get(TEXT, lambda: 1) == 1


def test_a_script_is_the_same_as_it_was_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sql_dir = tmp_path / "sql"
    for name, text in {
        "migrations/001_a.sql": f"CREATE TABLE t ();\n{TEXT}",
        "rollback/001_a_rollback.sql": TEXT,
    }.items():
        (sql_dir / name).parent.mkdir(parents=True)
        (sql_dir / name).write_text(text, encoding="utf-8")
    kept = tmp_path / "kept"
    kept.mkdir()
    monkeypatch.setattr(parsed_before, "folder", kept)
    first = read_sql_library(sql_dir)
    told = (first.index(), first.payload(["001"]))
    monkeypatch.setattr(reading, "parse_script", lambda *_of: never())
    second = read_sql_library(sql_dir)
    assert (second.index(), second.payload(["001"])) == told
    assert "t" in str(told[0][0]["creates"])
