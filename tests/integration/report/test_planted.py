# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What another user has planted below artifacts_dir is not followed by what is written there beside the runs."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.plugin_utils.check.checking import check
from ansible_collections.pgops.runbook.plugins.plugin_utils.fleet.gate import pass_gate
from ansible_collections.pgops.runbook.plugins.plugin_utils.record.run_folder import RunFolder
from ansible_collections.pgops.runbook.plugins.plugin_utils.report.history import write_history
from ansible_collections.pgops.runbook.plugins.plugin_utils.report.metrics import metrics_file, write_metrics

from tests.plants import PLANTED_FILES, PLANTS, Plant, as_root, link, make_victim, untouched
from tests.unit.record.records import ok, record, run_until, settled

FORMS = ["check.junit.xml", "check.md", "check.sarif"]
FLEET = {
    "batches": [1],
    "playbook": "deploy",
    "migration": "002",
    "rollback_batch": False,
}


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    return make_victim(tmp_path)


@pytest.fixture
def sql_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "sql"
    for name in ("migrations/001_a.sql", "rollback/001_a_rollback.sql"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("SELECT 1;\n")
    return folder


def write_check(sql_dir: Path, folder: Path) -> dict[str, Any]:
    options = {
        "sql_dir": str(sql_dir),
        "sql_layout": "auto",
        "version_table": None,
        "lint_gating_rules": [],
        "baseline": "",
        "write_baseline": False,
        "fail_on": "error",
        "output_dir": str(folder),
        "rehearse": False,
    }
    return check(options)


def write_fleet(artifacts: Path) -> None:
    answer = pass_gate("fleet1", {**FLEET, "artifacts_dir": str(artifacts)}, "a", ["a"], "ann", writes=True)
    if answer.get("failed"):
        assert answer["reason_code"] == "artifacts_dir_unwritable"
        raise OSError(answer["msg"])


def write_page(artifacts: Path) -> None:
    write_history({"runs": [], "drills": []}, "a/../b", artifacts)


WRITERS: list[Callable[[Path], None]] = [write_fleet, write_page]


# The files of a check --------------------------------------------------------------------------------------


def test_the_files_of_a_check_are_for_their_owner_alone(sql_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "artifacts" / "check"
    write_check(sql_dir, folder)
    write_check(sql_dir, folder)
    assert sorted(path.name for path in folder.iterdir()) == FORMS
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_folder_of_ours_is_taken_as_it_is(sql_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "check"
    folder.mkdir(mode=0o755)
    write_check(sql_dir, folder)
    assert sorted(path.name for path in folder.iterdir()) == FORMS


@as_root
@pytest.mark.parametrize("plant", PLANTS)
def test_a_check_does_not_write_where_another_has_planted(
    sql_dir: Path, tmp_path: Path, victim: Path, plant: Plant
) -> None:
    (tmp_path / "artifacts").mkdir()
    plant(tmp_path / "artifacts" / "check", victim)
    with pytest.raises(Refused) as refused:
        write_check(sql_dir, tmp_path / "artifacts" / "check")
    assert refused.value.code == "artifacts_dir_unwritable"
    assert "What it found:" in refused.value.reason
    assert untouched(victim)


@as_root
def test_nor_behind_a_link_of_another(sql_dir: Path, tmp_path: Path, victim: Path) -> None:
    link(tmp_path / "artifacts", victim)
    with pytest.raises(Refused, match="a link that another user has made"):
        write_check(sql_dir, tmp_path / "artifacts" / "check")
    assert untouched(victim)


@as_root
@pytest.mark.parametrize("name", ["check.md", "check.md.part"])
@pytest.mark.parametrize("plant", PLANTED_FILES)
def test_nor_through_a_file(sql_dir: Path, tmp_path: Path, victim: Path, name: str, plant: Plant) -> None:
    """Of a folder that was open to all once: what has the name of ours is replaced or refused, never written to."""
    folder = tmp_path / "check"
    folder.mkdir()
    plant(folder / name, victim)
    with contextlib.suppress(Refused):
        write_check(sql_dir, folder)
    assert untouched(victim)


# What lies beside the runs ---------------------------------------------------------------------------------


@as_root
@pytest.mark.parametrize("write", WRITERS)
def test_what_lies_beside_the_runs_is_not_written_behind_a_link_of_another(
    tmp_path: Path, victim: Path, write: Callable[[Path], None]
) -> None:
    link(tmp_path / "artifacts", victim)
    with pytest.raises(OSError, match="a link that another user has made"):
        write(tmp_path / "artifacts")
    assert untouched(victim)


@as_root
def test_latest_leads_to_no_folder_of_another(tmp_path: Path, victim: Path) -> None:
    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()
    victim = victim.rename(tmp_path / "zzz")  # a name after that of any run
    link(artifacts / "latest", victim)
    RunFolder(str(artifacts), "20260101T000000Z-a").write({})
    assert (artifacts / "latest").resolve() == artifacts / "20260101T000000Z-a"
    assert untouched(victim)


@as_root
@pytest.mark.parametrize("plant", PLANTS)
def test_the_folder_of_a_fleet_is_its_own(tmp_path: Path, victim: Path, plant: Plant) -> None:
    (tmp_path / "artifacts").mkdir()
    plant(tmp_path / "artifacts" / "fleet1", victim)
    with pytest.raises(OSError, match="fleet1"):
        write_fleet(tmp_path / "artifacts")
    assert untouched(victim)


@as_root
@pytest.mark.parametrize("part", ["", ".part"])
@pytest.mark.parametrize("plant", PLANTED_FILES)
def test_pages_and_metrics_replace_what_has_their_name_and_do_not_write_to_it(
    tmp_path: Path, victim: Path, part: str, plant: Plant
) -> None:
    made = run_until(record(tmp_path / "runs"), "announce")
    made.end("announce", ok())
    settled(made)
    folder, run = tmp_path / "artifacts", made.content
    folder.mkdir()
    for name, write in (
        ("history-a_.._b.html", lambda: write_page(folder)),
        (metrics_file(run), lambda: write_metrics(run, str(folder))),
    ):
        plant(folder / f"{name}{part}", victim)
        with contextlib.suppress(OSError):
            write()
            assert stat.S_ISREG(os.lstat(folder / name).st_mode)
        assert untouched(victim)
