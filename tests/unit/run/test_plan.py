# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a step is told of the folder's layout and of the table in which versions are recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.plugin_utils.record.record import RunRecord
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.plan import plan_of_run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "sql"
    folder.mkdir()
    (folder / "1_a.up.sql").write_text("CREATE TABLE a ()")
    (folder / "1_a.down.sql").write_text("DROP TABLE a")
    return folder


def plan(
    folder: Path, step: str, playbook: str = "deploy", options: dict[str, Any] | None = None, **run: Any
) -> dict[str, Any]:
    """The plan of a step of a run in this folder."""
    facts = {"playbook": playbook, "target": "library", "database": "midi"}
    record = RunRecord(str(folder.parent / "artifacts"), "20260101T000000Z-t-0001", facts, writes=False)
    given = {"playbook": playbook, "migration": "1", "sql_dir": str(folder), "version_table": "golang", **run}
    return plan_of_run(step, given, record, options or {})


@pytest.mark.parametrize(
    ("step", "playbook"),
    [
        ("preflight", "deploy"),
        ("apply", "deploy"),
        ("status", "status"),
        ("emergency_rollback", "emergency_rollback"),
    ],
)
def test_a_step_knows_by_what_the_tool_knows_each_migration(folder: Path, step: str, playbook: str) -> None:
    found = plan(folder, step, playbook)
    assert found["books"] == {"tool": "golang", "entries": {"1": 1}}
    assert plan(folder, step, playbook, version_table="")["books"] == {}


@pytest.mark.parametrize(
    ("step", "playbook"), [("salvage", "salvage"), ("preflight", "restore"), ("swap", "restore")]
)
def test_so_does_one_that_runs_no_sql_as_far_as_the_folder_can_be_read(
    folder: Path, step: str, playbook: str
) -> None:
    assert plan(folder, step, playbook) == {"books": {"tool": "golang", "entries": {"1": 1}}}
    assert plan(folder, step, playbook, version_table="") == {}
    gone = {"sql_dir": str(folder / "gone")}
    assert plan(folder, step, playbook, **gone) == {"books": {"tool": "golang", "entries": {}}}
    with pytest.raises(Refused, match="knows no tool 'x'"):
        plan(folder, step, playbook, version_table="x")


def test_preflight_and_status_are_told_of_the_layout(folder: Path) -> None:
    found = plan(folder, "preflight")
    assert found["layout"]["name"] == "golang"
    assert "by 1_a.down.sql" in found["layout"]["sentence"]
    with pytest.raises(Refused, match=r"has no migrations/"):
        plan(folder, "preflight", sql_layout="plain")


def test_what_is_left_out_need_not_be_readable(folder: Path) -> None:
    (folder / "2_b.up.sql").write_text("-- Risk Level: none at all\nSELECT 1")
    limits = {"migration": "pending", "skip": "2_b"}
    found = plan(folder, "preflight", **limits)
    assert (found["until"], found["skip"]) == ("", ["2"])
    assert plan(folder, "preflight", migration="pending", up_to=1, skip=["2"])["until"] == "1"
    with pytest.raises(Refused, match="none at all"):
        plan(folder, "preflight", migration="pending")
    with pytest.raises(Refused, match="there is no migration '7'"):
        plan(folder, "preflight", migration="pending", skip="2, 7")


def test_limits_are_for_pending_ones(folder: Path) -> None:
    with pytest.raises(Refused, match="-e migration=pending") as caught:
        plan(folder, "preflight", up_to="1")
    assert caught.value.code == "setting_invalid"


def test_a_rollback_down_to_a_migration_is_told_which_one_stays(folder: Path) -> None:
    found = plan(folder, "preflight", "emergency_rollback", migration="", down_to="1_a")
    assert found["down_to"] == "1"
    assert [entry["version"] for entry in found["migrations"]] == ["1"]


def test_a_variable_of_an_inventory_that_is_no_tag_holds_up_no_rollback(folder: Path) -> None:
    found = plan(folder, "preflight", "emergency_rollback", migration="1", tag="a b")
    assert found["to_tag"] == ""


def test_a_rollback_to_a_tag_is_told_its_name(folder: Path) -> None:
    found = plan(folder, "preflight", "emergency_rollback", migration="", down_to="tag:release_7")
    assert (found["down_to"], found["to_tag"]) == ("", "release_7")


def test_a_rollback_of_several_that_one_run_has_deployed_is_told_of_all_that_are_there(folder: Path) -> None:
    found = plan(folder, "preflight", "emergency_rollback", migration=" 1_a ,")
    assert found["exactly"] == ["1"]
    assert plan(folder, "preflight", "emergency_rollback", migration="1")["exactly"] == []
    found = plan(folder, "preflight", "emergency_rollback", migration="", exactly=["1_a"])
    assert (found["exactly"], found["down_to"]) == (["1"], "")
    assert [entry["version"] for entry in found["migrations"]] == ["1"]
    with pytest.raises(Refused, match="there is no migration '7'"):
        plan(folder, "preflight", "emergency_rollback", migration="", exactly=["7"])


@pytest.mark.parametrize(
    ("playbook", "options", "reason"),
    [
        ("deploy", {"migration": "", "down_to": "1"}, "Type it alone: .* -e to=1"),
        ("emergency_rollback", {"migration": "1", "down_to": "1"}, "Type it alone: .* -e to=1"),
        ("emergency_rollback", {"migration": "", "down_to": "7"}, "there is no migration '7'"),
        ("emergency_rollback", {"migration": "", "down_to": "tag:"}, "tag='' cannot be a tag"),
        ("emergency_rollback", {"migration": "1", "down_to": "tag:a"}, "Type it alone: .* -e to=tag:a"),
        ("emergency_rollback", {"migration": "", "tag": "a"}, "is for deploy.yml.* -e to=tag:a"),
        ("deploy", {"migration": "1", "tag": "a b"}, "cannot be a tag"),
    ],
)
def test_which_one_stays_is_said_to_a_rollback_and_alone(
    folder: Path, playbook: str, options: dict[str, str], reason: str
) -> None:
    with pytest.raises(Refused, match=reason):
        plan(folder, "preflight", playbook, **options)


@pytest.mark.parametrize("rules", ["ban-drop-table, mistyped", ["mistyped"]])
def test_a_rule_that_would_gate_nothing_is_refused_but_holds_up_no_rollback(folder: Path, rules: Any) -> None:
    options = {"lint_gating_rules": rules}
    with pytest.raises(Refused, match="preflight_lint_gating_rules names 'mistyped'"):
        plan(folder, "preflight", options=options)
    assert plan(folder, "preflight", "emergency_rollback", options=options)["linted"]
    assert plan(folder, "preflight", options={"lint_gating_rules": "ban-drop-table"})["linted"]
