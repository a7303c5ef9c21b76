# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Artifacts on the controller go as artifacts_keep says; those of others, and what somebody may read yet, stay."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.record.old_artifacts import clean_artifacts

NOTHING = {"backups": [], "needed": {}, "waiting": [], "left_alone": []}


def run(artifacts: Path, name: str, days: float = 1, **facts: Any) -> Path:
    """The folder of a run of database midi of target library that ended so many days ago."""
    ended = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - days * 86400))
    record = {"run_id": name, "target": "library", "database": "midi", "ended": ended, "migrations": ["009"]}
    folder = artifacts / name
    (folder / "receipts").mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({**record, **facts}))
    (folder / "receipts" / "01_preflight.json").write_text("{}")
    (folder / "report.html").write_text("<html>")
    return folder


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    folder = tmp_path / "artifacts"
    for name, days in (("a", 40), ("b", 20), ("c", 1)):
        run(folder, name, days)
    (folder / "latest").symlink_to("c")
    (folder / "history-library.html").write_text("<html>")
    return folder


def clean(
    artifacts: Path, keep: dict[str, int], writes: bool = True, but: str = "", **found: Any
) -> dict[str, Any]:
    outputs = {**NOTHING, "artifacts_keep": keep, **found}
    answer = clean_artifacts(artifacts, "library", "midi", outputs, writes, but)
    return {**answer, "went": sorted(one["run_id"] for one in answer["artifacts"])}


def folders(artifacts: Path) -> list[str]:
    return sorted(path.name for path in artifacts.iterdir() if path.is_dir() and not path.is_symlink())


@pytest.mark.parametrize(
    ("keep", "goes"),
    [({}, []), ({"count": 1}, ["a", "b"]), ({"days": 30}, ["a"]), ({"count": 0, "days": 0}, ["a", "b"])],
)
def test_what_is_not_kept_goes_and_the_second_time_nothing(
    artifacts: Path, keep: dict, goes: list[str]
) -> None:
    would = clean(artifacts, keep, writes=False)
    assert (would["went"], folders(artifacts)) == (goes, ["a", "b", "c"])
    answer = clean(artifacts, keep)
    assert (answer["went"], answer["artifacts_warnings"]) == (goes, [])
    assert folders(artifacts) == sorted({"a", "b", "c"} - set(goes))
    assert (artifacts / "history-library.html").exists()
    assert clean(artifacts, keep)["went"] == []


def test_the_newest_counts_by_its_end_and_not_by_its_name(artifacts: Path) -> None:
    run(artifacts, "0", days=0.5)
    assert clean(artifacts, {"count": 2})["went"] == ["a", "b"]


@pytest.mark.parametrize(
    "found",
    [
        {"backups": ["a"]},
        {"needed": {"a": "it has not ended"}},
        {"left_alone": [{"run_id": "a", "folder": "/backups/a", "why": ""}]},
        {"but": "a"},
    ],
)
def test_that_of_a_run_whose_backup_is_there_or_that_is_needed_stays(artifacts: Path, found: dict) -> None:
    assert clean(artifacts, {"count": 0}, **found)["went"] == ["b"]


@pytest.mark.parametrize("facts", [{"ended": None}, {"ended": 5}, {"rows_waiting": 3}])
def test_that_of_a_run_that_has_not_ended_or_whose_rows_wait_stays(artifacts: Path, facts: dict) -> None:
    run(artifacts, "0", days=90, **facts)
    assert clean(artifacts, {"count": 0}, waiting=["009"])["went"] == ["a", "b"]
    assert clean(artifacts, {"count": 0})["went"] == (["0"] if "rows_waiting" in facts else [])


@pytest.mark.parametrize(
    "facts", [{"target": "other"}, {"database": "other"}, {"run_id": "other"}, {"target": ["library"]}]
)
def test_that_of_another_database_is_not_touched(artifacts: Path, facts: dict) -> None:
    run(artifacts, "0", days=90, **facts)
    answer = clean(artifacts, {"count": 0})
    assert (answer["went"], answer["artifacts_left_alone"]) == (["a", "b"], [])
    assert "0" in folders(artifacts)


def test_what_is_none_of_ours_is_not_touched(artifacts: Path, tmp_path: Path) -> None:
    for name, text in (("0", "[]"), ("1", "{"), ("2", '"text"'), ("3", "null")):
        run(artifacts, name)
        (artifacts / name / "run.json").write_text(text)
    (artifacts / "4").mkdir()
    run(artifacts, "5").rename(tmp_path / "moved")
    (artifacts / "5").symlink_to(tmp_path / "moved")
    run(artifacts, "-rf")
    answer = clean(artifacts, {"count": 0})
    assert answer["went"] == ["a", "b"]
    assert folders(artifacts) == ["-rf", "0", "1", "2", "3", "4", "c"]
    assert (tmp_path / "moved" / "run.json").exists()


@pytest.mark.parametrize("name", ["notes.txt", "receipts/sub/x", "junit.xml/x"])
def test_a_folder_that_holds_something_else_is_named_and_left_alone(artifacts: Path, name: str) -> None:
    (artifacts / "a" / name).parent.mkdir(parents=True, exist_ok=True)
    (artifacts / "a" / name).write_text("needed for the audit")
    answer = clean(artifacts, {"count": 0})
    assert answer["went"] == ["b"]
    (left,) = answer["artifacts_left_alone"]
    assert left["folder"] == str(artifacts / "a")
    assert left["why"].startswith("it holds ")


def test_what_was_begun_is_ended(artifacts: Path) -> None:
    """Killed after the renaming, and between the last file and the folder; others' are left to them."""
    (artifacts / "a").rename(artifacts / ".removed-a")
    (artifacts / ".removed-a" / "report.html").unlink()
    (artifacts / ".removed-b" / "receipts").mkdir(parents=True)
    run(artifacts, "0", target="other").rename(artifacts / ".removed-0")
    (artifacts / ".removed-x").mkdir()
    (artifacts / ".removed-x" / "precious").write_text("")
    answer = clean(artifacts, {"count": 9})
    assert answer["artifacts_ended"] == [str(artifacts / ".removed-a"), str(artifacts / ".removed-b")]
    assert folders(artifacts) == [".removed-0", ".removed-x", "b", "c"]


def test_what_cannot_be_removed_is_a_warning(artifacts: Path) -> None:
    (artifacts / ".removed-a").symlink_to("nowhere")
    answer = clean(artifacts, {"count": 0})
    assert answer["went"] == ["b"]
    (warning,) = answer["artifacts_warnings"]
    assert warning.startswith(f"{artifacts / 'a'} was not removed: something stands in its way")


def test_a_folder_that_is_not_there_or_is_none(tmp_path: Path) -> None:
    assert clean(tmp_path / "nowhere", {"count": 0})["artifacts_warnings"] == []
    (tmp_path / "file").write_text("")
    assert clean(tmp_path / "file", {"count": 0})["went"] == []
