# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The linter's findings reach preflight by file and line, and its chosen rules refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.preflight.checks import check_lint
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.library import read_sql_library
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.lint import lint


@pytest.fixture
def scripts(tmp_path: Path) -> list[Any]:
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "001_a.sql").write_text("SELECT 1;\n\nALTER TABLE t ALTER c TYPE int;\n")
    (tmp_path / "migrations" / "002_b.sql").write_text("SELECT 1;\n")
    return [migration.apply for migration in read_sql_library(tmp_path).migrations]


def test_findings_come_by_script_rule_and_line_counted_from_one(scripts: Any) -> None:
    found = lint(scripts)
    assert [(one["rule"], one["line"]) for one in found["migrations/001_a.sql"]] == [
        ("changing-column-type", 3)
    ]
    assert found["migrations/002_b.sql"] == []


def test_what_the_runbook_does_itself_is_not_asked_of_the_script(scripts: Any) -> None:
    rules = {one["rule"] for one in lint(scripts)["migrations/001_a.sql"]}
    assert not rules & {"require-lock-timeout", "require-statement-timeout", "prefer-robust-stmts"}


def test_but_is_where_somebody_makes_it_a_gate(scripts: Any) -> None:
    rules = {one["rule"] for one in lint(scripts, ["require-lock-timeout"])["migrations/001_a.sql"]}
    assert rules == {"changing-column-type", "require-lock-timeout"}


def test_a_rule_that_squawk_leaves_out_by_default_is_asked_where_it_is_a_gate(scripts: Any) -> None:
    assert "require-table-schema" not in {one["rule"] for one in lint(scripts)["migrations/001_a.sql"]}
    found = lint(scripts, ["require-table-schema"])
    assert "require-table-schema" in {one["rule"] for one in found["migrations/001_a.sql"]}


@pytest.mark.parametrize("rules", [["ban-drop-tabel"], ["ban-drop-table", "none"], [""]])
def test_a_rule_that_squawk_does_not_have_would_never_refuse_and_is_refused(
    scripts: Any, rules: list[Any]
) -> None:
    with pytest.raises(Refused) as refused:
        lint(scripts, rules)
    assert refused.value.code == "setting_invalid"
    assert f"names '{rules[-1]}', and squawk has no rule of that name" in str(refused.value)


def test_of_a_file_with_both_halves_only_the_migration_is_asked(tmp_path: Path) -> None:
    text = "-- migrate:up\n\nALTER TABLE t ALTER c TYPE int;\n-- migrate:down\nALTER TABLE t ALTER c TYPE text;\n"
    (tmp_path / "1_a.sql").write_text(text)
    found = lint(migration.apply for migration in read_sql_library(tmp_path).migrations)
    assert [(one["rule"], one["line"]) for one in found["1_a.sql"]] == [("changing-column-type", 3)]


def entry(version: Any, *rules: Any) -> dict[Any, Any]:
    found = [{"rule": rule, "line": 3, "message": "A reason."} for rule in rules]
    return {"version": version, "apply_name": f"migrations/{version}.sql", "lint": found}


def test_a_chosen_rule_refuses_with_file_line_and_rule() -> None:
    with pytest.raises(Refused, match=r"migrations/001\.sql line 3: A reason\. .* ban-drop-database"):
        check_lint([entry("001", "ban-drop-database")], ["001"], ["ban-drop-database"])


def test_other_findings_and_other_migrations_are_reported_only() -> None:
    index = [entry("001", "changing-column-type"), entry("002", "ban-drop-database")]
    assert check_lint(index, ["001"], ["ban-drop-database"]) == {"001": index[0]["lint"]}
