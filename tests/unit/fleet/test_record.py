# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""fleet.json, written by the tasks of several databases at once."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it has no types
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.plugin_utils.fleet import record as room
from ansible_collections.pgops.runbook.plugins.plugin_utils.fleet.content import FORMAT, UNTOUCHED
from ansible_collections.pgops.runbook.plugins.plugin_utils.fleet.ending import concluded_in_fleet
from ansible_collections.pgops.runbook.plugins.plugin_utils.fleet.gate import (
    fleet_id_of,
    pass_gate,
    pass_take_back,
    registered_fleet,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.fleet.record import FleetRecord
from ansible_collections.pgops.runbook.plugins.plugin_utils.record.record import RunRecord

from tests.unit.fleet.fleets import FACTS, fleet_of, run_of

SCHEMA: dict[str, Any] = json.loads(
    Path(room.__file__).with_name("fleet.schema.json").read_text(encoding="utf-8")
)

FLEET = "20260101T000000Z-fleet-1"
HOSTS = ["a", "b", "c"]


def options(folder: Path, **others: Any) -> dict[str, Any]:
    given = {key: FACTS[key] for key in ("playbook", "migration", "rollback_batch")}
    return {"artifacts_dir": str(folder), "batches": [1, "100%"], **given, **others}


def passed(folder: Path, target: str, writes: bool = True, **others: Any) -> dict[str, Any]:
    return pass_gate(FLEET, options(folder, **others), target, HOSTS, "me@here", writes)


def on_disk(folder: Path) -> dict[str, Any]:
    content = json.loads((folder / FLEET / "fleet.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(SCHEMA).validate(content)
    return content


def concluded(folder: Path, run: dict[str, Any], writes: bool = True) -> dict[str, Any]:
    record = RunRecord(str(folder), run["run_id"], {**run, "operator": "me"}, writes=writes)
    return concluded_in_fleet({"run": run}, record, FLEET, run["target"])


def test_the_schema_is_one_and_names_what_a_record_has() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    content = fleet_of("a")
    assert sorted(SCHEMA["properties"]) == sorted(SCHEMA["required"]) == sorted(content)
    entry = SCHEMA["$defs"]["database"]
    assert sorted(entry["properties"]) == sorted(entry["required"]) == sorted(content["databases"][0])
    assert SCHEMA["properties"]["format"] == {"const": FORMAT}


def test_from_the_gate_to_the_page(tmp_path: Path) -> None:
    assert passed(tmp_path, "a")["goes_on"]
    assert on_disk(tmp_path)["outcome"] == "in_progress"
    assert concluded(tmp_path, run_of("a", "deployed")).get("warnings") is None
    answer = passed(tmp_path, "c")
    assert (answer["batch"], answer["batches"], answer["changed"]) == (2, 2, False)
    concluded(tmp_path, run_of("c", "refused"))
    assert not passed(tmp_path, "b")["goes_on"]
    content = on_disk(tmp_path)
    assert [one["status"] for one in content["databases"]] == ["deployed", "untouched", "refused"]
    assert content["outcome"] == "stopped"
    page = (tmp_path / FLEET / "fleet.md").read_text(encoding="utf-8")
    assert "| 2 | b |  | untouched |" in page
    assert pass_take_back(FleetRecord(str(tmp_path), FLEET), "a")["ends_play"], "a's batch went well"
    assert (tmp_path / FLEET).stat().st_mode & 0o077 == 0
    assert (tmp_path / FLEET / "fleet.json").stat().st_mode & 0o077 == 0


def test_what_is_taken_back_is_told_to_each_database(tmp_path: Path) -> None:
    for target in HOSTS:
        assert passed(tmp_path, target, batches=[3])["goes_on"]
    for target, outcome in zip(HOSTS, ("deployed", "failed", "deployed"), strict=True):
        concluded(tmp_path, run_of(target, outcome))
    record = FleetRecord(str(tmp_path), FLEET)
    assert pass_take_back(record, "a")["migrations"] == ["009"]
    assert not pass_take_back(record, "b")["goes_on"]
    concluded(tmp_path, run_of("a", "rolled_back", "emergency_rollback"))
    concluded(tmp_path, run_of("c", "rolled_back", "emergency_rollback"))
    late = pass_take_back(record, "b")
    assert (late["goes_on"], late["ends_play"]) == (False, False), "their runs may still be at work"
    on_disk(tmp_path)


def test_nobody_comes_between_two_that_write(tmp_path: Path) -> None:
    hosts = [f"db{number}" for number in range(24)]
    fork = multiprocessing.get_context("fork")
    processes = [
        fork.Process(
            target=pass_gate, args=(FLEET, options(tmp_path, batches=["100%"]), host, hosts, "me", True)
        )
        for host in hosts
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert {one["status"] for one in on_disk(tmp_path)["databases"]} == {"at_work"}


def test_check_mode_writes_nothing_and_looks_at_all(tmp_path: Path) -> None:
    answer = passed(tmp_path, "b", writes=False)
    assert answer["goes_on"]
    assert registered_fleet({"fleet_gate": answer}) == ""
    concluded(tmp_path, run_of("b", "refused"), writes=False)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_setting_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    answer = passed(tmp_path, "a", batches=["half"])
    assert (answer["failed"], answer["reason_code"]) == (True, "fleet_batches_invalid")
    assert list(tmp_path.iterdir()) == []


def test_where_it_cannot_be_written_nothing_begins(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    answer = passed(tmp_path / "file", "a")
    assert (answer["failed"], answer["reason_code"]) == (True, "artifacts_dir_unwritable")
    assert "Nothing was done in this database" in answer["msg"]


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_damaged_record_lets_nothing_begin(tmp_path: Path, text: str) -> None:
    passed(tmp_path, "a")
    path = tmp_path / FLEET / "fleet.json"
    path.write_text(text, encoding="utf-8")
    answer = passed(tmp_path, "b")
    assert (answer["failed"], answer["reason_code"]) == (True, "fleet_record_unusable")
    assert path.read_text(encoding="utf-8") == text
    assert pass_take_back(FleetRecord(str(tmp_path), FLEET), "a")["failed"]
    (warning,) = concluded(tmp_path, run_of("a", "deployed"))["warnings"]
    assert "no later batch begins" in warning
    with pytest.raises(Refused):
        FleetRecord(str(tmp_path), FLEET).read()


def test_a_folder_that_another_has_planted_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / FLEET).symlink_to(tmp_path / "elsewhere")
    assert passed(tmp_path, "a")["reason_code"] == "artifacts_dir_unwritable"
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_run_of_no_fleet_and_one_whose_fleet_is_gone_leave_nothing(tmp_path: Path) -> None:
    run = run_of("a", "deployed")
    record = RunRecord(str(tmp_path), run["run_id"], {**run, "operator": "me"})
    assert concluded_in_fleet({"run": run}, record, "", "a") == {"run": run}
    assert concluded_in_fleet({"run": run}, record, FLEET, run["target"]) == {"run": run}
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_is_in_the_record_of_no_fleet_is_said(tmp_path: Path) -> None:
    passed(tmp_path, "a")
    assert "no later batch begins" in concluded(tmp_path, run_of("stranger", "deployed"))["warnings"][0]
    assert [one["status"] for one in on_disk(tmp_path)["databases"]] == ["at_work", UNTOUCHED, UNTOUCHED]


def test_the_name_is_the_same_for_all_databases_and_another_for_another_command() -> None:
    asked = {"playbook": "deploy", "migration": "009"}
    name = fleet_id_of("20260101T000000Z", ("a", 1), asked)
    assert name == fleet_id_of("20260101T000000Z", ("a", 1), {**asked, "batches": [1]})
    others = {
        fleet_id_of("20260101T000000Z", ("a", 2), asked),
        fleet_id_of("20260101T000000Z", ("a", 1), {**asked, "playbook": "emergency_rollback"}),
        fleet_id_of("20260101T000000Z", ("a", 1), {**asked, "migration": "010"}),
    }
    assert len(others - {name}) == 3
    assert registered_fleet({}) == registered_fleet({"fleet_gate": {"skipped": True}}) == ""
    assert registered_fleet({"fleet_gate": {"fleet_id": name}}) == name
