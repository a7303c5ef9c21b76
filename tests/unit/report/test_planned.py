# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What --diff shows before anything is written: statements, and what they make or take away."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.report.planned import planned_of_run


@pytest.fixture
def run(tmp_path: Path) -> dict[str, str]:
    for name, text in {
        "migrations/001_a.sql": "\nBEGIN;\nCREATE TABLE a (id int);\n\nALTER TABLE b ADD c text;\nCOMMIT;",
        "rollback/001_a_rollback.sql": "DROP TABLE a;\nALTER TABLE b DROP c;",
        "migrations/002_b.sql": "UPDATE b SET c = '';",
        "migrations/003_c.sql": "SELEC",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return {"playbook": "deploy", "migration": "pending", "sql_dir": str(tmp_path)}


def test_a_deploy_shows_each_migration_with_what_it_makes(run: dict[str, str]) -> None:
    first, schema, second = planned_of_run(run, ["001", "002"])
    assert first["after_header"] == "statements of migration 001: migrations/001_a.sql"
    assert first["after"] == "-- line 3\nCREATE TABLE a (id int);\n-- line 5\nALTER TABLE b ADD c text;\n"
    assert (schema["before"], schema["after"]) == ("", "table a\ncolumn b.c\n")
    assert second["after"] == "-- line 1\nUPDATE b SET c = '';\n"


def test_a_rollback_shows_what_goes(run: dict[str, str]) -> None:
    statements, schema = planned_of_run({**run, "playbook": "emergency_rollback"}, ["001"])
    assert statements["after"].startswith("-- line 1\nDROP TABLE a;\n")
    assert (schema["before"], schema["after"]) == ("table a\ncolumn b.c\n", "")


@pytest.mark.parametrize(
    ("changed", "versions"),
    [
        ({"playbook": "restore"}, ["001"]),
        ({"playbook": "rehearse", "migration": "all"}, ["001"]),
        ({}, []),
        ({}, ["003"]),
        ({}, ["009"]),
        ({"sql_dir": "/nowhere"}, ["001"]),
        ({"playbook": "emergency_rollback"}, ["002"]),
    ],
)
def test_what_has_nothing_to_show_fails_nothing(
    run: dict[str, str], changed: dict[str, str], versions: list[str]
) -> None:
    assert planned_of_run({**run, **changed}, versions) == []
