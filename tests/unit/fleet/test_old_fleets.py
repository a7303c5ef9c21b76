# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The record of a fleet goes as artifacts_keep says, and never before those of its runs."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.fleet.old_fleets import clean_fleets

from tests.unit.fleet.fleets import ended, fleet_of

NOW = time.time()


def moment(days: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW - days * 86400))


def fleet(artifacts: Path, name: str, days: float = 1, **facts: Any) -> Path:
    """The folder of a fleet of databases a and b that ended so many days ago; its runs have no folders."""
    content = ended(fleet_of("a b"), a="deployed", b="deployed")
    content.update({"fleet_id": name, "ended": moment(days), **facts})
    for one in content["databases"]:
        one["run_id"] = f"{name}-{one['target']}"
    folder = artifacts / name
    folder.mkdir(parents=True)
    (folder / "fleet.json").write_text(json.dumps(content))
    (folder / "fleet.md").write_text("# Fleet")
    return folder


def run(artifacts: Path, name: str) -> None:
    (artifacts / name).mkdir()
    (artifacts / name / "run.json").write_text("{}")


def clean(
    artifacts: Path, keep: dict[str, int], writes: bool = True, going: tuple[str, ...] = (), target: str = "a"
) -> dict[str, Any]:
    answer = clean_fleets(artifacts, target, f"{target}_db", keep, set(going), writes)
    return {**answer, "went": sorted(one["run_id"] for one in answer["fleets"])}


def folders(artifacts: Path) -> list[str]:
    return sorted(path.name for path in artifacts.iterdir())


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    folder = tmp_path / "artifacts"
    for name, days in (("f1", 40), ("f2", 20), ("f3", 1)):
        fleet(folder, name, days)
    return folder


@pytest.mark.parametrize(
    ("keep", "goes"),
    [
        ({}, []),
        ({"count": 1}, ["f1", "f2"]),
        ({"days": 30}, ["f1"]),
        ({"count": 0, "days": 0}, ["f1", "f2", "f3"]),
    ],
)
def test_what_is_not_kept_goes_and_the_second_time_nothing(
    artifacts: Path, keep: dict, goes: list[str]
) -> None:
    would = clean(artifacts, keep, writes=False)
    assert (would["went"], folders(artifacts)) == (goes, ["f1", "f2", "f3"])
    assert all(one["bytes"] > 100 and one["age_days"] > 0.9 for one in would["fleets"])
    answer = clean(artifacts, keep)
    assert (answer["went"], answer["warnings"]) == (goes, [])
    assert folders(artifacts) == sorted({"f1", "f2", "f3"} - set(goes))
    assert clean(artifacts, keep)["went"] == []


def test_it_stays_as_long_as_the_folder_of_one_of_its_runs(artifacts: Path) -> None:
    """Whoever keeps that one, as because its backup is the newest that was proven, can read of what it was a part."""
    run(artifacts, "f1-b")
    run(artifacts, "f2-taken-back")
    content = json.loads((artifacts / "f2" / "fleet.json").read_text())
    content["databases"][0]["taken_back"] = {"run_id": "f2-taken-back"}
    (artifacts / "f2" / "fleet.json").write_text(json.dumps(content))
    assert clean(artifacts, {"count": 0})["went"] == ["f3"]


def test_check_mode_counts_what_would_go_before_it_and_names_what_is_left(artifacts: Path) -> None:
    run(artifacts, "f1-a")
    run(artifacts, "f1-b")
    run(artifacts, "f2-a")
    would = clean(artifacts, {"count": 1}, writes=False, going=("f1-a", "f2-a"))
    assert [(one["run_id"], one["beside"]) for one in would["fleets"]] == [("f2", []), ("f1", ["f1-b"])]
    run(artifacts, "f3-a")
    assert [one["run_id"] for one in clean(artifacts, {"count": 0}, writes=False)["fleets"]] == []


@pytest.mark.parametrize("facts", [{"ended": None, "outcome": "in_progress"}, {"ended": 5}])
def test_one_that_has_not_ended_stays(artifacts: Path, facts: dict) -> None:
    fleet(artifacts, "f0", days=90, **facts)
    assert "f0" not in clean(artifacts, {"count": 0})["went"]
    assert "f0" in folders(artifacts)


def test_that_of_other_databases_is_not_touched(artifacts: Path) -> None:
    assert clean(artifacts, {"count": 0}, target="c")["went"] == []
    answer = clean_fleets(artifacts, "a", "another_db", {"count": 0}, set(), True)
    assert answer["fleets"] == []
    assert folders(artifacts) == ["f1", "f2", "f3"]


def test_one_in_which_this_database_was_never_begun_is_its_own_as_well(artifacts: Path) -> None:
    content = json.loads((artifacts / "f1" / "fleet.json").read_text())
    content["databases"][0].update(database=None, run_id=None, status="untouched")
    (artifacts / "f1" / "fleet.json").write_text(json.dumps(content))
    assert clean(artifacts, {"days": 30})["went"] == ["f1"]


def test_what_is_none_of_ours_is_left_alone(artifacts: Path, tmp_path: Path) -> None:
    (artifacts / "f1" / "notes.txt").write_text("needed for the audit")
    fleet(artifacts, "f4", days=90, fleet_id="another")
    (artifacts / "f5").mkdir()
    (artifacts / "f5" / "fleet.json").write_text("[]")
    fleet(artifacts, "f6", days=90).rename(tmp_path / "moved")
    (artifacts / "f6").symlink_to(tmp_path / "moved")
    answer = clean(artifacts, {"count": 0})
    assert answer["went"] == ["f2", "f3"]
    assert folders(artifacts) == ["f1", "f4", "f5", "f6"]
    (left,) = answer["left_alone"]
    assert (left["folder"], left["why"].startswith("it holds notes.txt")) == (str(artifacts / "f1"), True)
    assert (tmp_path / "moved" / "fleet.json").exists()


def test_what_was_begun_is_ended(artifacts: Path) -> None:
    (artifacts / "f1").rename(artifacts / ".removed-f1")
    (artifacts / ".removed-f1" / "fleet.md").unlink()
    assert clean(artifacts, {"count": 9}, writes=False)["ended"] == []
    assert clean(artifacts, {"count": 9})["ended"] == [str(artifacts / ".removed-f1")]
    assert folders(artifacts) == ["f2", "f3"]


def test_several_databases_of_a_fleet_clean_up_at_once(artifacts: Path) -> None:
    """Each folder is removed by one of them, and none is told that another was faster."""
    for number in range(50):
        fleet(artifacts, f"g{number}", days=90)
    answers: list[dict[str, Any]] = []
    threads = [
        threading.Thread(target=lambda one=one: answers.append(clean(artifacts, {"days": 30}, target=one)))
        for one in ("a", "b", "a", "b")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    went = [name for answer in answers for name in answer["went"]]
    assert sorted(went) == sorted({"f1", *(f"g{number}" for number in range(50))})
    assert [answer["warnings"] for answer in answers] == [[], [], [], []]


def test_what_cannot_be_removed_is_a_warning(artifacts: Path) -> None:
    (artifacts / ".removed-f1").symlink_to("nowhere")
    answer = clean(artifacts, {"days": 30})
    assert answer["went"] == []
    (warning,) = answer["warnings"]
    assert warning.startswith(f"{artifacts / 'f1'} was not removed: something stands in its way")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert clean(tmp_path / "nowhere", {"count": 0})["fleets"] == []
