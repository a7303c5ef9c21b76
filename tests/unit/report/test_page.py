# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report as a page and as Markdown: for every outcome and every age of record, and never as code of others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.report.page import (
    as_html,
    as_markdown,
    facts_of,
    write_reports,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.report.run import short_report
from ansible_collections.pgops.runbook.plugins.plugin_utils.report.state import STATE_OF_PRODUCTION

from tests.unit.record.records import ok, on_disk, record, run_until, settled
from tests.unit.report.test_run import run

HOSTILE = '<script>alert("x")</script> | `\n'

STATEMENT = {"line": 3, "kind": "AlterTableStmt", "seconds": 0.25, "rows": None, "wal_bytes": 2048}
LOCKS = [{"table": "public.files", "mode": "AccessExclusiveLock", "held_seconds": 0.5}]
MEASURED = {
    "seconds": 0.25,
    "statements": [STATEMENT],
    "locks": LOCKS,
    "rewritten": {"public.files": 4096},
    "rows": {},
    "wal_bytes": 2048,
}


def step(name: Any, started: Any, seconds: Any, status: str = "ok") -> dict[Any, Any]:
    return {"step": name, "status": status, "started": started, "seconds": seconds, "receipt": "abcdef" * 4}


@pytest.mark.parametrize("outcome", [*STATE_OF_PRODUCTION, "failed"])
def test_every_outcome_has_a_page(outcome: Any) -> None:
    facts = facts_of(run(outcome, steps=[("preflight", "ok")]), "run.json")
    assert f">{outcome}</span>" in as_html(facts)
    assert as_markdown(facts).startswith(f"# deploy of 009: {outcome}\n")


def test_a_record_that_was_just_made_and_one_that_ended_have_a_page(tmp_path: Path) -> None:
    made = record(tmp_path)
    made.begin("preflight")
    as_html(facts_of(on_disk(made), "run.json"))
    settled(run_until(made, "announce"))
    assert "no migration" not in as_html(facts_of(on_disk(made), "run.json"))


def test_who_ran_what_and_agreed_to_what_is_said() -> None:
    made = run("deployed", operator="alice@laptop", consents={"accept_drift": True})
    made["sql_commit"] = {"commit": "0123456789abcdef" * 2 + "01234567", "changed": True}
    for text in (as_html(facts_of(made, "run.json")), as_markdown(facts_of(made, "run.json"))):
        assert "By alice@laptop" in text
        assert "Scripts of commit 0123456789ab, with changes of its own" in text
        assert "Accepted: accept_drift=True" in text


def test_names_are_text_and_never_markup() -> None:
    hostile = run(
        "failed",
        reason=HOSTILE,
        reason_code="statement_failed",
        schema_changes={
            "009": {"changes": [{"sign": "+", "object": HOSTILE, "definition": HOSTILE}], "more": 0}
        },
        lint={"009": [{"rule": HOSTILE, "line": 1, "message": HOSTILE}]},
        impact={"009": {"copy": {**MEASURED, "locks": [{**LOCKS[0], "table": HOSTILE}]}}},
    )
    hostile["target"] = hostile["database"] = HOSTILE
    page = as_html(facts_of(hostile, "run.json"))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 7


def test_what_rows_hold_does_not_steer_a_terminal_that_shows_a_report() -> None:
    made = run("failed", reason="Key (x)=(\x1b[8m\u202ea) is duplicated.", reason_code="statement_failed")
    for text in (as_html(facts_of(made, "run.json")), as_markdown(facts_of(made, "run.json"))):
        assert r"Key (x)=(\x1b[8m\u202ea) is duplicated." in text
        assert not {"\x1b", "\u202e"} & set(text)


def test_a_cell_of_markdown_stays_one() -> None:
    change = {"sign": "~", "object": "x", "definition": "a | b\nc"}
    text = as_markdown(
        facts_of(run("deployed", schema_changes={"009": {"changes": [change], "more": 2}}), "x")
    )
    assert "- `~` x: a \\| b c\n- and 2 more\n" in text


def test_steps_stand_on_one_scale() -> None:
    steps = [
        step("preflight", "2026-01-01T00:00:00.000000Z", 1.0),
        step("backup", "2026-01-01T00:00:02.000000Z", 6.0),
        step("apply", "2026-01-01T00:00:08.000000Z", 2.0, "failed"),
    ]
    facts = facts_of({**run("unchanged"), "steps": steps}, "run.json")
    assert facts["total"] == 10
    assert [(one["begin"], one["width"]) for one in facts["steps"]] == [(0, 10), (20, 60), (80, 20)]
    assert 'class="failed" x="80.0" width="20.0"' in as_html(facts)


def test_the_copy_stands_beside_production() -> None:
    production = {
        **MEASURED,
        "statements": [{**STATEMENT, "seconds": 0.75}],
        "locks": [{**LOCKS[0], "held_seconds": 1}],
    }
    facts = facts_of(
        run("deployed", impact={"009": {"copy": MEASURED, "production": production}}), "run.json"
    )
    page = as_html(facts)
    assert "0.250" in page
    assert "0.750" in page
    assert [lock["width"] for lock in facts["impact"]["009"]["locks"]] == [50.0, 100.0]
    assert "Rewritten, copy: public.files" in page


def test_all_forms_are_written_beside_the_record(tmp_path: Path) -> None:
    made = run_until(record(tmp_path), "announce")
    made.end("announce", ok())
    content = json.loads(made.path.read_text())
    written = write_reports(content, made.folder)
    assert written == [str(made.folder / name) for name in ("report.html", "report.md", "junit.xml")]
    assert made.folder.joinpath("report.md").read_text().count("\n| ") >= 8


def test_the_short_report_has_fifteen_lines_and_its_ends_are_whole() -> None:
    many = {f"{number:03}": {"production": MEASURED} for number in range(30)}
    lines = short_report(
        run("deployed", impact=many, migrations=sorted(many)), "run.json", True, "report.html"
    )
    assert len(lines) == 15
    assert lines[0].startswith("deployed: 000, 001")
    assert lines[1].startswith("State: ")
    assert lines[-4] == "And 21 more lines, of which the record has the facts."
    assert lines[-3].startswith(
        "Roll back: ansible-playbook emergency_rollback.yml -e migration=029,028,027,"
    )
    assert lines[-3].endswith(",001,000")
    assert lines[-2:] == ["Report: report.html", "Record: run.json"]
    assert "And" not in "".join(line[:3] for line in short_report(run("deployed"), "run.json"))
