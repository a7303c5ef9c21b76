# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a check found in each of its forms: the screen, a pull request, test results, and beside the code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import jsonschema  # type: ignore[import-untyped]  # it has no types
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.plugin_utils.check.baseline import (
    Baseline,
    accept_all,
    sort_out,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.check.cases import as_cases
from ansible_collections.pgops.runbook.plugins.plugin_utils.check.finding import Finding, in_order, printable
from ansible_collections.pgops.runbook.plugins.plugin_utils.check.look import look
from ansible_collections.pgops.runbook.plugins.plugin_utils.check.markdown import MARK, as_markdown
from ansible_collections.pgops.runbook.plugins.plugin_utils.check.outcome import Outcome, folder_in_repository
from ansible_collections.pgops.runbook.plugins.plugin_utils.check.sarif import as_sarif
from ansible_collections.pgops.runbook.plugins.plugin_utils.check.writing import FORMS, write_forms

from tests.unit.check.folders import GATING, SOUND, write
from tests.unit.check.sarif_log import SARIF_LOG

FILES = {
    **SOUND,
    "migrations/002_b.sql": "SELEC 1;\n",
    "rollback/002_b_rollback.sql": "DROP TABLE b;\n",
    "migrations/003_c.sql": "DROP TABLE notes;\n",
    "rollback/003_c_rollback.sql": "SELECT 1;\n",
    "migrations/a b%20c.sql": "SELECT 1;\n",
}


def outcome(folder: Path, accepts: int = 0, fail_on: str = "error") -> Outcome:
    """Of FILES: two errors and a warning, of which the first ones are accepted."""
    looked = look(str(write(folder, FILES)), "auto", "", GATING)
    baseline = accept_all(looked.findings[:accepts], Baseline("base.json"))
    return Outcome("db/sql", looked, sort_out(looked.findings, baseline), baseline.path, fail_on)


def made_of(*findings: Finding) -> Outcome:
    looked = look("sql", "auto", "", ())
    return Outcome("sql", looked, sort_out(in_order(findings), Baseline()), "", "error", ("A note.",))


def test_the_lines_for_a_person(tmp_path: Path) -> None:
    found = outcome(tmp_path)
    title, *lines = found.report()
    assert title == "db/sql (plain): 3 migrations, 2 errors, 1 warning"
    assert lines[0].startswith("db/sql/migrations/002_b.sql:1:1: error: script_syntax_error: ")
    assert lines[1].startswith("db/sql/migrations/003_c.sql:1: warning: ban-drop-table: ")
    assert lines[2].startswith("db/sql/migrations/a b%20c.sql:1: error: script_name_unusable: ")
    assert [one.level for one in found.failing] == ["error", "error"]
    assert len(outcome(tmp_path, fail_on="warning").failing) == 3


def test_what_is_accepted_is_counted_and_does_not_fail(tmp_path: Path) -> None:
    found = outcome(tmp_path, accepts=3)
    assert not found.failing
    assert found.report() == [
        "db/sql (plain): 3 migrations, nothing found",
        "Accepted by base.json: 3",
    ]
    (tmp_path / "migrations/a b%20c.sql").unlink()
    looked = look(str(tmp_path), "auto", "", GATING)
    stale = Outcome(
        "db",
        looked,
        sort_out(looked.findings, accept_all(found.looked.findings, Baseline("x"))),
        "x",
        "error",
    )
    assert stale.report()[1:] == [
        "Accepted by x: 2",
        "Found no longer, and still in x: script_name_unusable in migrations/a b%20c.sql",
    ]


# SARIF


def sarif_of(found: Outcome) -> dict[str, Any]:
    """The log, which is as the schema says."""
    log = json.loads(as_sarif(found))
    jsonschema.Draft202012Validator(SARIF_LOG).validate(log)
    return log["runs"][0]


@pytest.mark.parametrize("accepts", [0, 1, 3])
def test_the_log_is_as_its_schema_says(tmp_path: Path, accepts: int) -> None:
    run = sarif_of(outcome(tmp_path, accepts))
    results = run["results"]
    assert len(results) == 3
    assert [bool(one.get("suppressions")) for one in results] == [False] * (3 - accepts) + [True] * accepts
    rules = run["tool"]["driver"]["rules"]
    assert {rules[one["ruleIndex"]]["id"] for one in results} == {one["ruleId"] for one in results}
    assert all(
        one["helpUri"] == "https://squawkhq.com/docs/ban-drop-table" for one in rules if "helpUri" in one
    )
    places = [one["locations"][0]["physicalLocation"] for one in results]
    assert {unquote(one["artifactLocation"]["uri"]) for one in places} == {
        f"db/sql/migrations/{name}.sql" for name in ("002_b", "003_c", "a b%20c")
    }
    assert len({one["partialFingerprints"]["pgopsRunbook/v1"] for one in results}) == 3


def test_a_schema_that_finds_faults_is_looked_into(tmp_path: Path) -> None:
    log = json.loads(as_sarif(outcome(tmp_path)))
    log["runs"][0]["results"][0]["level"] = "grave"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SARIF_LOG).validate(log)


def test_a_finding_of_the_whole_folder(tmp_path: Path) -> None:
    run = sarif_of(made_of(Finding("error", "sql_layout_ambiguous", "", 1, 0, "both")))
    (place,) = run["results"][0]["locations"]
    assert place["physicalLocation"] == {"artifactLocation": {"uri": "sql"}}
    assert run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"] == "A note."


# Markdown

HOSTILE = "x | y\n</td><img src=x> `code` **bold** @octocat [a](http://b) \x1b[31m \u202e \ud800"


def test_a_comment_says_what_there_is_and_nothing_else(tmp_path: Path) -> None:
    text = as_markdown(outcome(tmp_path))
    assert text.startswith(f"{MARK}\n### Check of the migrations failed\n")
    assert len([line for line in text.splitlines() if line.startswith("| db/sql/")]) == 3
    assert "passed" in as_markdown(outcome(tmp_path, accepts=3)).splitlines()[1]
    hostile = as_markdown(made_of(Finding("error", "script_syntax_error", "a\nb|c.sql", 1, 1, HOSTILE)))
    (row,) = [line for line in hostile.splitlines() if line.startswith("| sql")]
    assert row.replace("\\|", "").count("|") == 4
    assert not {"<", "`", "["} & {row[i] for i in range(1, len(row)) if row[i - 1] != "\\"}
    assert "@octocat" not in row
    hostile.encode()


def test_a_comment_is_no_longer_than_it_may_be() -> None:
    many = [Finding("error", "script_syntax_error", f"{n}.sql", 1, 1, "x" * 500) for n in range(500)]
    text = as_markdown(made_of(*many))
    assert 50_000 < len(text) < 65_536
    shown = text.count("| error |")
    assert f"and {500 - shown} more" in text
    assert "A note" in text
    assert len(made_of(*many).report()) == 203


# JUnit


def test_a_file_is_a_case(tmp_path: Path) -> None:
    (suite,) = ElementTree.fromstring(as_cases(outcome(tmp_path)).encode())
    assert {one.get("name"): [part.tag for part in one] for one in suite} == {
        "db/sql/migrations/002_b.sql": ["failure"],
        "db/sql/migrations/003_c.sql": ["system-out"],
        "db/sql/migrations/a b%20c.sql": ["failure"],
    }
    assert (suite.get("tests"), suite.get("failures")) == ("3", "2")
    (passed,) = ElementTree.fromstring(as_cases(outcome(tmp_path, accepts=3)).encode())
    assert [(one.get("name"), len(one)) for one in passed] == [("db/sql", 0)]


def test_several_failures_of_a_file_are_one() -> None:
    found = [
        Finding("error", code, "a.sql", n, 1, HOSTILE)
        for n, code in enumerate(("header_invalid", "migration_empty"), 1)
    ]
    (suite,) = ElementTree.fromstring(as_cases(made_of(*found)).encode())
    (failure,) = suite.iter("failure")
    assert failure.get("message") == "header_invalid, and 1 more"
    assert [line.split(":")[:2] for line in (failure.text or "").splitlines()] == [
        ["line 1", " header_invalid"],
        ["line 2", " migration_empty"],
    ]


# Files


def test_all_forms_are_written_for_their_owner_alone(tmp_path: Path) -> None:
    found = outcome(tmp_path / "sql")
    files = write_forms(found, str(tmp_path / "out" / "here"))
    assert [Path(file).name for file in files] == list(FORMS)
    for file in files:
        assert Path(file).stat().st_mode & 0o777 == 0o600
    assert write_forms(found, "") == []
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match=r"check_output_dir(.|\n)*002_b\.sql:1:1: error") as refused:
        write_forms(found, str(tmp_path / "file"))
    assert refused.value.code == "artifacts_dir_unwritable"


def test_how_a_repository_calls_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sql = tmp_path / "repository" / "db" / "sql"
    sql.mkdir(parents=True)
    assert folder_in_repository(str(sql)) == sql.as_posix()
    monkeypatch.chdir(tmp_path / "repository" / "db")
    assert folder_in_repository("sql") == "sql"
    (tmp_path / "repository" / ".git").write_text("gitdir: elsewhere\n")
    assert folder_in_repository("sql") == "db/sql"
    monkeypatch.chdir(sql)
    (sql / ".git").mkdir()
    assert folder_in_repository(".") == "."
    assert Finding("error", "x", "a.sql", 3, 0, "m").shown(".") == "a.sql:3: error: x: m"


def test_nothing_acts_on_a_terminal() -> None:
    assert printable("a\x1b[2J\nb\u202e\udcff ä") == "a\\x1b[2J\\nb\\u202e\\udcff ä"
