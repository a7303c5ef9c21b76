# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backups and artifacts go at the end of a run, and by a playbook; the command after a backup decides nothing."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from tests.integration.stories.application import Application
from tests.unit.fleet.fleets import ended, fleet_of


def folders(path: Path) -> list[str]:
    return sorted(one.name for one in path.iterdir() if one.is_dir() and not one.is_symlink())


def fleet_with(artifacts: Path, name: str, target: str, run_id: str) -> str:
    """The record of an old fleet, one of whose runs has this name; returns its own."""
    content = ended(fleet_of(f"{target} b"), **{target: "deployed", "b": "deployed"})
    content.update(fleet_id=name, ended="2020-01-01T00:00:00Z")
    content["databases"][0].update(database=target, run_id=run_id)
    (artifacts / name).mkdir()
    (artifacts / name / "fleet.json").write_text(json.dumps(content))
    return name


def test_a_run_ends_with_what_is_no_longer_kept(application: Application, tmp_path: Path) -> None:
    fails = [sys.executable, "-c", "import sys; sys.exit('no room')", "{folder}"]
    first = application.deploy("002", backup_after_command=fails)
    assert first.status == 0, first.output
    old = first.record["run_id"]
    assert first.record["after_backup"]["failure"].endswith("ended with exit status 1: no room")
    assert "ended with exit status 1: no room. The run goes on" in " ".join(first.output.split())
    assert first.record["cleanup"] is None

    shutil.copytree(application.artifacts / old, tmp_path / "saved")
    sends = ["cp", "-r", "{folder}", str(tmp_path / "elsewhere")]
    keep = {"backup_keep": {"count": 1}, "artifacts_keep": {"days": 0}}
    second = application.deploy("003", backup_after_command=sends, **keep)
    assert second.status == 0, second.output
    assert second.record["after_backup"]["failure"] is None
    assert (tmp_path / "elsewhere" / "manifest.json").exists()
    new = second.record["run_id"]
    assert (folders(application.backups), folders(application.artifacts)) == ([new], [new])
    assert [one["run_id"] for one in second.record["cleanup"]["backups"]] == [old]
    assert [one["run_id"] for one in second.record["cleanup"]["artifacts"]] == [old]
    assert "Removed, as backup_keep says: 1 backup (" in second.output

    # As somebody has put it back who did not know better.
    shutil.copytree(tmp_path / "saved", application.artifacts / old)
    # Of a fleet a run is there whose backup is the newest proven one; of the other all have gone, or go.
    (database,) = application.databases
    of_new = fleet_with(application.artifacts, "20200101T000000Z-fleet-1", database, new)
    of_old = fleet_with(application.artifacts, "20200101T000000Z-fleet-2", database, old)
    before = application.contents()
    would = application.run("playbooks/cleanup.yml", "--check", **keep)
    assert (would.status, f"would go: artifacts of run {old}: " in would.output) == (0, True), would.output
    assert f"would go: record of fleet {of_old}: " in would.output
    assert of_new not in would.output
    assert folders(application.artifacts) == sorted([of_new, of_old, old, new])
    went = application.run("playbooks/cleanup.yml", **keep)
    assert (went.status, f"removed: artifacts of run {old}: " in went.output) == (0, True), went.output
    assert f"removed: record of fleet {of_old}: " in went.output
    assert folders(application.artifacts) == sorted([of_new, new])
    assert application.contents() == before
    assert "CHANGED" not in application.run("playbooks/status.yml").output
    restore = application.run("playbooks/restore.yml", "-e", f"run_id={old}")
    assert "because backup_keep no longer kept it" in restore.record["reason"]
