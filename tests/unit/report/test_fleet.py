# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a person reads at the end of one run over several databases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.fleet import record
from ansible_collections.pgops.runbook.plugins.plugin_utils.fleet.content import begin, close, end
from ansible_collections.pgops.runbook.plugins.plugin_utils.report.fleet import (
    IN_WORDS,
    deployed_databases,
    fleet_in_short,
    fleet_page,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.screen.fleets import Fleets

from tests.unit.fleet.fleets import ended, fleet_of, run_of

SCHEMA = json.loads(Path(record.__file__).with_name("fleet.schema.json").read_text(encoding="utf-8"))


def test_a_batch_that_was_taken_back() -> None:
    content = ended(fleet_of("a", "b c d", "e f"), a="deployed", b="deployed", c="deployed", d="unchanged")
    end(content, "b", run_of("b", "rolled_back", "emergency_rollback"))
    end(content, "c", run_of("c", "refused", "emergency_rollback"))
    close(content)
    assert fleet_in_short(content, "/x/fleet.json") == [
        "Fleet, deploy of 009 in 6 databases: stopped in batch 2 of 3",
        "  deployed                  2  a, c",
        "  deployed, taken back      1  b",
        "  unchanged                 1  d",
        "    d: because of d",
        "  untouched                 2  e, f",
        "  c was not taken back: because of c",
        "Next: see to the reasons above, and type the same command again: what is done is not done twice",
        "Roll back: ansible-playbook emergency_rollback.yml --limit a,c -e migration=009",
        "Report of all: /x/fleet.md",
        "Record of all: /x/fleet.json",
    ]


def test_one_that_went_well_says_what_was_done_and_no_more() -> None:
    content = fleet_of("a", "b", playbook="emergency_rollback", migration="")
    end(content, "a", run_of("a", "rolled_back", "emergency_rollback", migrations=[]))
    end(content, "b", run_of("b", "rolled_back", "emergency_rollback"))
    close(content)
    assert fleet_in_short(content, "/x/fleet.json")[:-2] == [
        "Fleet, emergency_rollback in 2 databases: complete",
        "  rolled back               1  b",
        "  nothing to do             1  a",
    ]


def test_of_very_many_some_are_named() -> None:
    names = [f"db{number:03}" for number in range(200)]
    content = fleet_of(" ".join(names))
    for name in names:
        end(content, name, run_of(name, "refused"))
    close(content)
    lines = fleet_in_short(content, "/x/fleet.json")
    assert len(lines) < 20
    assert lines[1] == f"  refused                 200  {', '.join(names[:10])}, and 190 more"


def test_while_runs_are_at_work_or_wait_for_others() -> None:
    content = fleet_of("a b", "c")
    begin(content, "a")
    close(content)
    assert fleet_in_short(content, "/x/fleet.json")[0] == "Fleet, deploy of 009 in 3 databases: not ended"
    waiting = ended(fleet_of("a", "c"), a="awaiting_approval")
    assert fleet_in_short(waiting, "/x")[0] == "Fleet, deploy of 009 in 2 databases: waiting in batch 1 of 2"
    assert any("approved" in line for line in fleet_in_short(waiting, "/x"))


def test_every_status_has_its_words() -> None:
    statuses = SCHEMA["$defs"]["database"]["properties"]["status"]["enum"]
    assert set(statuses) == set(IN_WORDS) - {"taken_back"}


@pytest.mark.parametrize("hostile", ["a|b", "<b>\n# x", "äöü 日本", "\\"])
def test_hostile_names_stay_in_their_cell(hostile: str) -> None:
    content = ended(fleet_of("a"), a="refused")
    content["databases"][0].update(target=hostile, reason=hostile, database=hostile)
    row = fleet_page(content).splitlines()[-1]
    assert row.replace("\\|", "").count("|") == 9


def test_the_screen_tells_batches_and_at_the_end_all_of_it(tmp_path: Path) -> None:
    fleets = Fleets()
    assert (fleets.place(), fleets.in_short()) == ("", [])
    path = tmp_path / "fleet-1" / "fleet.json"
    path.parent.mkdir()
    fleets.see({"goes_on": True, "fleet_json": str(path), "batch": 2, "batches": 3})
    assert (fleets.place(), fleets.in_short()) == ("batch 2 of 3", []), "it is not there"
    path.write_text(json.dumps(ended(fleet_of("a"), a="deployed")), encoding="utf-8")
    assert fleets.in_short()[1] == "Fleet, deploy of 009 in 1 databases: complete"
    fleets.see({"goes_on": True, "migrations": ["009"]})
    assert fleets.place() == "what was deployed in the batch of a failure"
    path.write_text("{", encoding="utf-8")
    assert "cannot be read" in fleets.in_short()[1]


def test_of_very_many_the_way_back_names_a_file_of_those_that_were_deployed_here() -> None:
    names = [f"db{number:03}" for number in range(30)]
    content = fleet_of(" ".join(names))
    for name in names[:25]:
        end(content, name, run_of(name, "deployed"))
    for name in names[25:]:
        end(content, name, run_of(name, "deployed", migrations=[]))
    close(content)
    (line,) = [line for line in fleet_in_short(content, "/x y/fleet.json") if line.startswith("Roll back")]
    assert (
        line == "Roll back: ansible-playbook emergency_rollback.yml --limit '@/x y/deployed' -e migration=009"
    )
    assert deployed_databases(content) == names[:25]
