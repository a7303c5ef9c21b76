# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""One command for several databases of one server: a canary, then batches; a failure, and the command typed again."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it has no types
import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.fleet import record as room

from demo.local_server import LocalServer
from tests.fresh_database import fresh_database
from tests.integration.step_runs import StepRuns
from tests.integration.stories.application import Application, Run, prepare
from tests.record_schema import check_record

SCHEMA = json.loads(Path(room.__file__).with_name("fleet.schema.json").read_text(encoding="utf-8"))


@pytest.fixture
def fleet(server: LocalServer, scripts: Path, tmp_path: Path) -> Iterator[Application]:
    with ExitStack() as stack:
        databases = [stack.enter_context(fresh_database(server)) for _ in range(4)]
        for database in databases:
            prepare(server, database)
        yield Application(server, tmp_path, scripts, databases)


TELL = "import json, sys; told = sys.stdin.read(); open(sys.argv[1], 'a').write(told + chr(10))"


def record_of(run: Run) -> dict[str, Any]:
    """The newest fleet.json, which is as its schema says."""
    path = max(run.artifacts.glob("*-fleet-*/fleet.json"))
    content = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(SCHEMA).validate(content)
    return content


def statuses(run: Run) -> list[str]:
    return [one["status"] for one in record_of(run)["databases"]]


def runs_of(run: Run) -> list[dict[str, Any]]:
    """Every run.json, the oldest first."""
    paths = sorted(path for path in run.artifacts.glob("*/run.json") if not path.parent.is_symlink())
    records = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    for record in records:
        check_record(record)
    return records


def tables(fleet: Application) -> list[bool]:
    """Which databases have what the migration makes."""
    asked = (StepRuns(fleet.server, name, fleet.folder) for name in fleet.databases)
    return [one.ask("SELECT to_regclass('tag') IS NOT NULL")[0][0] for one in asked]


def test_a_failure_its_batch_taken_back_and_the_same_command_again(
    fleet: Application, tmp_path: Path
) -> None:
    """Two databases of one server at once, with signed receipts, announcements and retention."""
    canary, deployed, broken, later = fleet.databases
    StepRuns(fleet.server, broken, fleet.folder).execute("CREATE TABLE tag (name text)")
    before = fleet.contents()
    for sizes in ("0", "[1, 0]", "all"):
        nonsense = fleet.deploy("003", artifacts_dir=str(tmp_path / "nonsense"), fleet_batches=sizes)
        assert "Reason code: fleet_batches_invalid" in nonsense.output, nonsense.output
        assert f"fleet_batches is '{sizes}'" in nonsense.output
        assert (nonsense.status, fleet.contents()) == (2, before)
    told = tmp_path / "told"
    fleet.variables = {
        "announce_command": [sys.executable, "-c", TELL, str(told)],
        "announce_metrics_dir": str(tmp_path),
        "receipt_key": "a key",
        "backup_keep": {"count": 1},
        "artifacts_keep": {"count": 9},
    }
    run = fleet.deploy("003", fleet_batches=[1, 2, 1], rollback_batch=True)
    assert run.status != 0
    assert statuses(run) == ["deployed", "deployed", "refused", "untouched"], run.output
    first = record_of(run)
    assert [bool(one["taken_back"]) for one in first["databases"]] == [False, True, False, False]
    assert first["databases"][1]["taken_back"]["outcome"] == "rolled_back"
    assert tables(fleet) == [True, False, True, False], "the third one had it before, unrecorded"
    lines = run.output.splitlines()
    assert any(line.startswith(f"  ✓ {deployed}  backup ") for line in lines), run.output
    assert any(line.startswith(f"  ✗ {broken}  preflight ") for line in lines)
    assert "Fleet, deploy of 003 in 4 databases: stopped in batch 2 of 3" in lines
    made = runs_of(run)
    assert [(one["target"], one["outcome"]) for one in made if one["playbook"] == "deploy"] == [
        *((canary, "deployed"), (deployed, "deployed"), (broken, "refused"))
    ]
    assert {one["fleet"] for one in made} == {first["fleet_id"]}
    receipts = [json.loads(path.read_text()) for path in run.artifacts.glob("*/receipts/*.json")]
    assert receipts
    assert all(one["signature"] for one in receipts)
    events = [json.loads(line) for line in told.read_text(encoding="utf-8").splitlines() if line]
    assert sorted(event["event"] for event in events) == [*["begin"] * 2, *["end"] * 4]
    assert (run.artifacts / "latest").readlink().name == max(one["run_id"] for one in made)
    assert fleet.contents()[0][2] == (), "no copy is left"

    StepRuns(fleet.server, broken, fleet.folder).execute("DROP TABLE tag")
    names = f"{canary},{later}"
    run = fleet.deploy("003", "--limit", names, "-e", "fleet_batches=2")
    assert run.status == 0, run.output
    assert statuses(run) == ["had_it", "deployed"]
    assert record_of(run)["databases"][0]["reason"] == "migration 003 was applied already"
    assert tables(fleet) == [True, False, False, True]
    assert (run.artifacts / first["fleet_id"] / "fleet.md").is_file()
