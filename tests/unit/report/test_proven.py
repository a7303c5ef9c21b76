# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is called proven, on which rows, and what is said of generated ones."""

from __future__ import annotations

from typing import Any

from ansible_collections.pgops.runbook.plugins.plugin_utils.report.proven import (
    generated_in_words,
    proven_in_words,
    rows_in_words,
)

NONE: dict[str, Any] = {"rows": 0, "tables": {}, "more": 0}
SOME = {"rows": 1204, "tables": {"public.a": 1200, "public.b": 4}, "more": 0}


def run(step: str = "rehearse", **rows: Any) -> dict[str, Any]:
    proof = {"rehearsed": ["008", "009"], "schema_restored": True, "data_restored": True, **rows}
    return {"steps": [{"step": step}], "proof": proof}


def test_what_was_rehearsed_without_rows_is_not_called_proven() -> None:
    assert proven_in_words(run(rows={"008": SOME, "009": NONE})) == [
        "Proven: the rollback of 008, on a copy of this database with 1,204 rows (public.a 1,200, public.b 4): schema"
        " and rows came back",
        "Rehearsed without rows to compare, and so not proven: the rollback of 009; the schema came back",
    ]


def test_from_an_empty_database_and_of_older_records() -> None:
    (line,) = proven_in_words(run("rehearse_from_empty"))
    assert (
        line == "Proven: the rollback of 008, 009, in a database made from nothing: schema and rows came back"
    )
    assert proven_in_words({"steps": [], "proof": {}}) == []


def test_of_all_it_is_said_on_how_many_rows_each_is_proven_and_which_failed() -> None:
    rows = {"001": NONE, "008": SOME, "009": {**SOME, "rows": 7}}
    of_all = run("rehearse_from_empty", rehearsed=["001", "008", "009"], rows=rows)
    without = (
        "Rehearsed without rows to compare, and so not proven: the rollback of 001; the schema came back"
    )
    assert proven_in_words(of_all) == [
        "Proven: the rollback of 008 (1,204 rows), 009 (7 rows), in a database made from nothing: schema and rows came"
        " back",
        without,
    ]
    failures = [{"migration": f"01{n}", "reason_code": "x", "reason": f"why {n}."} for n in range(7)]
    of_all["proof"].update(schema_restored=False, data_restored=False, failures=failures)
    assert proven_in_words(of_all) == [
        "Failed: 015: why 5.",
        "Failed: 016: why 6.",
        "Proven: the rollback of 008 (1,204 rows), 009 (7 rows), in a database made from nothing",
        without,
    ], "of the first five the reason of the run says why"


def test_rows_of_a_page() -> None:
    assert rows_in_words(NONE) == "none, and so it is not proven"
    assert rows_in_words(SOME) == "1,204 (public.a 1,200, public.b 4)"
    assert rows_in_words({"rows": 3, "tables": {}, "more": 0}) == "3"
    many = {"rows": 99, "tables": {f"t{number:02}": 3 for number in range(20)}, "more": 13}
    assert rows_in_words(many).endswith("t09 3, and 23 more)")


def test_what_became_of_generated_rows() -> None:
    generated = {
        "rows": 20,
        "seed": 7,
        "filled": 3,
        "unfilled": {"public.x": "ask the clerk"},
        "ended": "the rollback of 004 ended half way over generated rows",
        "not_applied": {"002": "it contains null values."},
        "refuses": {"003": "still in use."},
        "not_given_back": {"001": ["public.a: 1 rows fewer"]},
    }
    assert generated_in_words({"generated_rows": generated}) == [
        "Generated rows: a rehearsal of their own, with up to 20 rows (seed 7) in 3 tables that had fewer",
        "No rows could be generated for public.x: ask the clerk",
        "Rollback of 001 does not give back generated rows, as the header declares: public.a: 1 rows fewer",
        "Migration 002 cannot be applied to generated rows, so its rollback was not rehearsed on them: it contains null"
        " values.",
        "The rollback of 003 does not go over generated rows that nobody had before it: still in use.",
        "The rehearsal on generated rows ended early: the rollback of 004 ended half way over generated rows",
    ]
    assert generated_in_words({}) == generated_in_words({"generated_rows": None}) == []
