# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is said of a drill, phase by phase."""

from __future__ import annotations

from typing import Any

from ansible_collections.pgops.runbook.plugins.plugin_utils.report.drilled import drilled, last_drill

DEPLOY = {
    "phase": "deploy",
    "status": "ok",
    "seconds": 8.25,
    "statements_seconds": 0.125,
    "verified": ["v.sql"],
}
WRITES = {
    **{"phase": "writes", "status": "ok", "seconds": 1.0, "new": 4000, "changed": 7, "tables": 3},
    "not_written": {"public.log": "permission denied"},
}
ROLLBACK = {
    **{"phase": "rollback", "status": "ok", "seconds": 2.0, "statements_seconds": 0.5},
    **{"schema_restored": True, "kept_rows": 9},
}
RESTORE = {
    **{"phase": "restore", "status": "ok", "seconds": 3.0, "rows_compared": 12, "rows_brought": 7},
    **{"rows_left": {"tables": {"public.notes": 2}}, "held_off_seconds": 0.75},
}
AGAIN = {
    **{"phase": "deploy_again", "status": "ok", "seconds": 1.5, "kept": 9, "put_back": 9, "held_back": 0},
    **{"reasons": {}, "rows_differing": []},
}


def lines(*phases: dict[str, Any]) -> list[str]:
    return drilled({"phases": list(phases)})


def test_each_phase_is_a_line_with_its_time_and_its_proof() -> None:
    assert lines(DEPLOY, WRITES, ROLLBACK, RESTORE, AGAIN) == [
        "Deploy: 8.2 s; 0.125 s of statements; the schema is the rehearsed one, verified by v.sql",
        "Users' writes: 1.0 s; 4,000 rows new and 7 changed in 3 tables; not written to: public.log (permission"
        " denied)",
        "Emergency rollback: 2.0 s; 0.500 s of statements; the schema came back; kept aside: 9 rows",
        "Restore: 3.0 s; the application would have been kept out for 0.8 s; schema and 12 rows equal the backup's;"
        " brought over, written since: 7 rows; NOT brought over: 2 rows",
        "Deploy again: 1.5 s; the schema is the same again; of 9 rows kept 9 went back; every row is as users left it",
    ]


def test_what_is_not_as_users_left_it_is_named() -> None:
    again = {
        **{**AGAIN, "put_back": 7, "held_back": 2, "reasons": {"its parent is gone": 2}},
        "rows_differing": [{"table": "public.notes", "problem": "2 rows fewer"}],
    }
    assert lines(again) == [
        "Deploy again: 1.5 s; the schema is the same again; of 9 rows kept 7 went back, 2 wait: its parent is gone (2);"
        " not as users left them: public.notes (2 rows fewer)"
    ]
    assert "the schema was NOT compared" in lines({**ROLLBACK, "schema_restored": False})[0]


def test_a_phase_that_failed_says_nothing_else() -> None:
    assert lines({"phase": "rollback", "status": "failed", "seconds": 0.5, "reason": "no"}) == [
        "Emergency rollback: FAILED after 0.5 s"
    ]


def test_the_status_tells_the_last_one() -> None:
    drill = {
        **{
            "run_id": "d1",
            "migrations": ["009"],
            "finished": "2026-01-02T03:04:05.678Z",
            "outcome": "drilled",
        },
        **{"reason": None, "phases": [DEPLOY, ROLLBACK]},
    }
    assert last_drill(None) == []
    assert last_drill(drill) == [
        "Last drill: d1 of 009, ended 2026-01-02T03:04:05Z: Deploy 8.2 s, Emergency rollback 2.0 s"
    ]
    assert last_drill({**drill, "outcome": "failed", "reason": "it broke"}) == [
        "Last drill: d1 of 009, ended 2026-01-02T03:04:05Z: FAILED: it broke"
    ]


def test_nothing_was_written_where_nothing_was_to_be() -> None:
    nothing = {**WRITES, "new": 0, "changed": 0, "tables": 0, "not_written": {}}
    assert lines(nothing) == [
        "Users' writes: 1.0 s; nothing was written (drill_rows is 0, or there are no tables)"
    ]
