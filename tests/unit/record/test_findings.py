# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What steps have found, in the terms of run.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.record.findings import take_findings

from tests.unit.record.records import failed, ok, on_disk, record, run_until


@pytest.mark.parametrize(
    ("step", "key", "outputs", "taken"),
    [
        ("preflight", "migrations", {"migrations": ["009"]}, ["009"]),
        ("preflight", "left_out", {}, {}),
        (
            "emergency_backup",
            "emergency_backup",
            {"kind": "full", "why": "w", "x": 1},
            {"kind": "full", "why": "w"},
        ),
        ("verify_restore", "after_backup", {"after_backup": {"rows": 1}}, {"rows": 1}),
        ("swap", "restore", {"replaced": "midi_before"}, {"replaced": "midi_before"}),
    ],
)
def test_each_step_has_its_place_and_one_that_failed_takes_none(
    step: str, key: str, outputs: dict[str, Any], taken: Any
) -> None:
    content: dict[str, Any] = {key: "as it was", "proof": {}}
    take_findings(content, step, {**failed(), "outputs": outputs})
    assert content[key] == "as it was"
    take_findings(content, step, ok(**outputs))
    assert content[key] == taken


def test_proof_of_the_rehearsal(tmp_path: Path) -> None:
    made = run_until(record(tmp_path), "apply")
    assert on_disk(made)["proof"] == {
        "schema_restored": True,
        "data_restored": True,
        "rehearsed": ["009"],
        "sequences_moved": {},
        "rows": {"009": {"rows": 3, "tables": {}, "more": 0}},
        "depends_on": {"009": ["001"]},
    }


@pytest.mark.parametrize(
    ("values", "proven"), [([True, True], True), ([True, None], None), ([True, False], False)]
)
def test_proof_of_a_rollback_is_no_stronger_than_its_weakest_migration(
    tmp_path: Path, values: list[Any], proven: bool | None
) -> None:
    made = run_until(record(tmp_path, "emergency_rollback"), "emergency_rollback")
    made.end(
        "emergency_rollback",
        ok(*({"version": str(n), "schema_restored": value} for n, value in enumerate(values))),
    )
    assert on_disk(made)["proof"]["schema_restored"] is proven


def test_rows_that_a_rollback_does_not_give_back_are_in_the_proof(tmp_path: Path) -> None:
    lost = {"table": "public.t", "changed": 100, "columns": {"updated": 100}, "words": "w"}
    proof = {"version": "009", "schema_restored": True, "data_restored": False, "not_given_back": [lost]}
    made = record(tmp_path)
    made.end("rehearse", ok(proof))
    assert on_disk(made)["proof"]["not_given_back"] == {"009": [lost]}
    assert on_disk(made)["proof"]["data_restored"] is False
    back = record(tmp_path, "emergency_rollback", run_id="run-2")
    back.end("emergency_rollback", ok({**proof, "schema_restored": True}))
    assert on_disk(back)["proof"]["data_restored"] is False


def test_what_no_rollback_can_take_back_is_in_the_proof(tmp_path: Path) -> None:
    proof = {"version": "009", "schema_restored": True, "data_restored": True, "residue": ["column order t"]}
    for step, made in {
        "rehearse": record(tmp_path),
        "emergency_rollback": record(tmp_path, "emergency_rollback", run_id="run-2"),
    }.items():
        made.end(step, ok(proof))
        assert on_disk(made)["proof"]["residue"] == {"009": ["column order t"]}
        assert on_disk(made)["proof"]["schema_restored"] is True


def test_what_is_said_of_replication_is_kept_once(tmp_path: Path) -> None:
    made = run_until(record(tmp_path), "apply")
    for step in ("apply", "verify"):
        made.end(step, {**ok(), "outputs": {"replication": ["s1 lags"]}})
    assert on_disk(made)["replication"] == ["s1 lags"]


def test_what_preflight_says_that_a_superuser_calls_is_kept(tmp_path: Path) -> None:
    made = record(tmp_path)
    made.end("preflight", {**ok(), "outputs": {"called_as_superuser": ["f of eve"]}})
    assert on_disk(made)["called_as_superuser"] == ["f of eve"]


def test_which_rows_no_dump_has_is_on_record(tmp_path: Path) -> None:
    lost = [{"table": "public.own", "extension": "hstore", "rows": 2, "rows_in_copy": None}]
    made = record(tmp_path)
    made.end("verify_restore", {**ok(), "outputs": {"not_in_backup": lost}})
    assert on_disk(made)["not_in_backup"] == lost


def test_on_which_rows_a_rollback_was_rehearsed_is_on_record(tmp_path: Path) -> None:
    made = record(tmp_path)
    seen = {
        "compared": {"rows": 20, "tables": {"t": 20}, "more": 0},
        "not_applied": None,
        "refuses": "in use",
    }
    proof = {"version": "009", "schema_restored": True, "data_restored": True, "generated_rows": seen}
    summary = {"rows": 20, "seed": 1, "filled": 1, "unfilled": {}, "ended": None}
    answer = ok(proof)
    answer["outputs"]["generated_rows"] = summary
    made.end("rehearse_from_empty", answer)
    written = on_disk(made)["proof"]
    assert written["rows"] == {"009": {"rows": 20, "tables": {"t": 20}, "more": 0}}
    assert written["generated_rows"] == {
        **summary,
        "not_given_back": {},
        "not_applied": {},
        "refuses": {"009": "in use"},
    }
