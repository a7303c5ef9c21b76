# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The runs of a database as lines and as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.report.history import (
    _bars,
    history_page,
    history_report,
    write_history,
)

HOSTILE = "<script>alert(1)</script>"


def step(name: str, second: float, seconds: float, status: str = "ok") -> dict[str, Any]:
    started = f"2026-01-01T00:00:{second:09.6f}Z"
    return {"step": name, "migration": None, "status": status, "started": started, "seconds": seconds}


def run(number: int = 1, **facts: Any) -> dict[str, Any]:
    return {
        "run_id": f"20260101T000000Z-books-{number:04}",
        "playbook": "deploy",
        "migrations": ["009"],
        "operator": "alice@laptop",
        "started": "2026-01-01T00:00:00.000000Z",
        "finished": "2026-01-01T00:00:10.000000Z",
        "outcome": "deployed",
        "reason": None,
        "seconds": 10.0,
        "steps": [step("preflight", 0, 1), step("apply", 4, 2)],
        **facts,
    }


def test_a_line_a_run() -> None:
    refused = run(2, outcome="refused", reason="no", migrations=[])
    lines = history_report({"runs": [run(), refused]}, "books")
    assert lines[0] == "books: 2 runs"
    assert lines[1] == "  2026-01-01T00:00:00Z  deployed in 10.0 s: deploy of 009, by alice@laptop"
    assert lines[2].endswith("refused in 10.0 s: deploy of no migration, by alice@laptop: no")


def test_an_outcome_that_is_contradicted_says_so() -> None:
    found = {"runs": [run(contradicted="it has no receipts")]}
    assert "deployed (CONTRADICTED: it has no receipts) in 10.0 s" in history_report(found, "books")[1]
    page = history_page(found, "books", set())
    assert '<span class="bad">deployed</span><br><span class="bad">CONTRADICTED: it has no receipts' in page


def test_a_tag_stands_beside_what_was_deployed() -> None:
    tagged = {"runs": [run(tag="release_7"), run(2, tag=None)]}
    _, first, second = history_report(tagged, "books")
    assert "deploy of 009 (tag release_7), by" in first
    assert "tag" not in second
    assert history_page(tagged, "books", set()).count("(tag release_7)") == 1


def test_one_that_has_not_ended_says_so() -> None:
    (_, line) = history_report({"runs": [run(outcome=None, finished=None, seconds=None)]}, "books")
    assert "not ended: deploy of 009" in line


def test_a_long_list_is_cut_and_says_so() -> None:
    lines = history_report(
        {"runs": [run(number) for number in range(25)], "page": "/a/history.html"}, "books"
    )
    assert (len(lines), lines[-2:]) == (23, ["  and 5 more", "Page: /a/history.html"])


def test_no_run_at_all() -> None:
    assert history_report({"runs": []}, "books") == ["books: 0 runs"]
    assert "0 runs" in history_page({"runs": []}, "books", set())


def test_bars_stand_where_their_steps_were() -> None:
    bars = _bars(run(), 20.0)
    assert [(bar["begin"], bar["width"]) for bar in bars] == [(0, 5), (20, 10)]


def test_receipts_of_one_step_share_its_time() -> None:
    several = [step("apply", 2, 1), step("apply", 2, 4)]
    bars = _bars(run(steps=several), 10.0)
    assert [(bar["begin"], bar["width"], bar["seconds"]) for bar in bars] == [(20, 10, 1), (30, 30, 3)]


@pytest.mark.parametrize("seconds", [None, 0.0])
def test_a_run_without_a_length_has_its_bars_all_the_same(seconds: float | None) -> None:
    assert {bar["width"] for bar in _bars(run(seconds=seconds), 0.0)} == {0.0}


def test_names_are_text_and_never_markup() -> None:
    hostile = run(operator=HOSTILE, reason=HOSTILE, migrations=[HOSTILE], steps=[step(HOSTILE, 1, 1)])
    page = history_page({"runs": [hostile]}, HOSTILE, set())
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 5


def test_it_leads_to_the_reports_that_are_still_there(tmp_path: Path) -> None:
    there, lost = run(1), run(2)
    (tmp_path / there["run_id"]).mkdir()
    (tmp_path / there["run_id"] / "report.html").touch()
    path = Path(write_history({"runs": [there, lost]}, "my books/of today", tmp_path))
    assert path == tmp_path / "history-my_books_of_today.html"
    page = path.read_text(encoding="utf-8")
    assert f'<a href="{there["run_id"]}/report.html">' in page
    assert f'href="{lost["run_id"]}' not in page
    assert lost["run_id"] in page
