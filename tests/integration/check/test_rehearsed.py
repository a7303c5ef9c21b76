# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A check that also tries the migrations: what no look at them could find is among what it finds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.plugin_utils.check import rehearsed
from ansible_collections.pgops.runbook.plugins.plugin_utils.check.checking import OPTIONS, check

from demo.local_server import LocalServer
from tests.integration.stories.application import own_environment, warm_ansible
from tests.unit.check.folders import SOUND, write

TWO = {
    "migrations/002_b.sql": "-- Requires: 001\nALTER TABLE notes\n    ADD COLUMN b text;\n",
    "rollback/002_b_rollback.sql": "ALTER TABLE notes DROP COLUMN b;\n",
}
THREE = {"migrations/003_c.sql": "SELECT 1;\n", "rollback/003_c_rollback.sql": "SELECT 1;\n"}


def checked(folder: Path, bindir: str, writes: bool = True, **options: Any) -> dict[str, Any]:
    """The result of the step, where it rehearses."""
    defaults = {name: option.get("default") for name, option in OPTIONS.items()}
    given = {"sql_dir": str(folder), "rehearse": True, "pg_bindir": bindir}
    return check({**defaults, **given, **options}, writes)


def test_what_is_sound_is_tried_and_said(tmp_path: Path, server: LocalServer) -> None:
    result = checked(write(tmp_path, {**SOUND, **TWO}), server.bindir)
    assert not result.get("failed"), result
    assert result["report"][-1] == (
        "Rehearsed from an empty database: 2 migrations deployed, rolled back and deployed again, the rollbacks on"
        " generated rows too"
    )


@pytest.mark.parametrize(
    ("changed", "code", "place", "words"),
    [
        (
            {"rollback/002_b_rollback.sql": "SELECT 1;\n"},
            "rehearsal_rollback_schema_differs",
            "rollback/002_b_rollback.sql:1",
            "column public.notes.b",
        ),
        (
            {"migrations/002_b.sql": "SELECT 1;\n\nALTER TABLE nowhere ADD COLUMN b text;\n"},
            "statement_failed",
            "migrations/002_b.sql:3",
            'relation "nowhere" does not exist',
        ),
        (
            {"verify/002_b.sql": "SELECT true;\nSELECT false;\n"},
            "check_failed",
            "verify/002_b.sql:2",
            "false",
        ),
    ],
)
def test_what_fails_is_a_finding_at_its_place(
    tmp_path: Path, server: LocalServer, changed: dict[str, str], code: str, place: str, words: str
) -> None:
    folder = write(tmp_path / "sql", {**SOUND, **TWO, **THREE, **changed})
    result = checked(folder, server.bindir)
    assert result["failed"], result
    line = result["report"][1]
    assert f"{place}: error: {code}: " in line, result
    assert words in line
    assert (
        "Rehearsed from an empty database: 2 migrations deployed, rolled back and deployed again; 1 failed: 002"
    ) in result["report"]


def test_all_that_fail_are_found_and_what_hides_others_is_not_accepted(
    tmp_path: Path, server: LocalServer
) -> None:
    wrong = {
        "migrations/002_b.sql": "ALTER TABLE nowhere ADD COLUMN b text;\n",
        "migrations/003_c.sql": "-- Requires: 002\nALTER TABLE notes ADD COLUMN c text;\nUPDATE notes SET c = b;\n",
        "migrations/004_d.sql": "-- Requires: 001\nALTER TABLE notes ADD COLUMN d text;\n",
        "rollback/004_d_rollback.sql": "SELECT 1;\n",
    }
    folder = write(tmp_path / "sql", {**SOUND, **TWO, **THREE, **wrong})
    result = checked(
        folder, server.bindir, baseline=str(tmp_path / "b.json"), write_baseline=True, generated_rows=0
    )
    assert [one.split(": ")[0].removeprefix(f"{folder}/") for one in result["report"][1:3]] == [
        "migrations/002_b.sql:1",
        "rollback/004_d_rollback.sql:1",
    ], result
    assert (
        "Rehearsed from an empty database: 1 migration deployed, rolled back and deployed again; 2 failed: 002, 004;"
        " not tried: 003 (it requires 002)"
    ) in result["report"]
    assert json.loads((tmp_path / "b.json").read_text())["accepted"] == []


def test_what_only_rows_show_is_found(tmp_path: Path, server: LocalServer) -> None:
    loses = {"rollback/002_b_rollback.sql": "ALTER TABLE notes DROP COLUMN b;\nDELETE FROM notes;\n"}
    folder = write(tmp_path / "sql", {**SOUND, **TWO, **loses})
    assert not checked(folder, server.bindir, generated_rows=0).get("failed")
    result = checked(folder, server.bindir)
    assert "rollback/002_b_rollback.sql:1: error: rollback_loses_generated_rows: " in result["report"][1]


def test_nothing_is_tried_while_errors_stand_in_the_way(tmp_path: Path) -> None:
    folder = write(tmp_path, {**SOUND, "migrations/002_b.sql": "SELEC 1;\n"})
    result = checked(folder, "/nowhere")
    assert rehearsed.NOT_BEFORE in result["report"]
    # Of these a rehearsal knows nothing.
    others = {"rollback/009_x_rollback.sql": "SELECT 1;\n", "rollback/002_b_rollback.sql": "SELECT 1;\n"}
    write(folder, {**others, "migrations/002_b.sql": "TRUNCATE notes CASCADE;\n"})
    with pytest.raises(Refused, match="initdb was not found in /nowhere"):
        checked(folder, "/nowhere")
    assert not checked(write(tmp_path / "sound", SOUND), "/nowhere", writes=False).get("failed")


def test_without_psycopg2_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsed, "PSYCOPG2_IMPORT_ERROR", "no module")
    with pytest.raises(Refused, match="pip install psycopg2-binary") as refused:
        checked(write(tmp_path, SOUND), "/nowhere")
    assert refused.value.code == "psycopg2_missing"


def test_by_the_playbook(tmp_path: Path, server: LocalServer) -> None:
    folder = write(tmp_path / "sql", {**SOUND, "rollback/001_notes_rollback.sql": "DROP TABLE note;\n"})
    variables = {
        "sql_dir": str(folder),
        "check_output_dir": str(tmp_path / "out"),
        "check_rehearse": True,
        "pg_bindir": server.bindir,
    }
    status, output = warm_ansible().run(
        ["playbooks/check.yml", "-e", json.dumps(variables)], own_environment()
    )
    assert status == 2, output
    assert "rollback/001_notes_rollback.sql:1: error: statement_failed: " in output
    (result,) = json.loads((tmp_path / "out" / "check.sarif").read_text())["runs"][0]["results"]
    assert result["ruleId"] == "statement_failed"
