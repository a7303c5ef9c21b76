# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reports for people: every outcome tells what production has now, and no report breaks on missing facts."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.report.run import run_report, short_report
from ansible_collections.pgops.runbook.plugins.plugin_utils.report.state import STATE_OF_PRODUCTION


def run(outcome: Any, playbook: str = "deploy", steps: Any = (), **facts: Any) -> dict[Any, Any]:
    return {
        "run_id": "r1",
        "playbook": playbook,
        "target": "library",
        "database": "midi",
        "migrations": ["009"],
        "outcome": outcome,
        "failed_step": None,
        "reason_code": None,
        "reason": None,
        "steps": [{"step": step, "status": status, "seconds": 1.25} for step, status in steps],
        **facts,
    }


@pytest.mark.parametrize("outcome", STATE_OF_PRODUCTION)
def test_every_outcome_tells_what_production_has(outcome: Any) -> None:
    lines = run_report(run(outcome), "/a/run.json")
    assert lines[0] == f"{outcome}: 009 on library (database midi)"
    assert f"State: {STATE_OF_PRODUCTION[outcome]}".format(migrations="migration") in lines
    assert lines[-1] == "Record: /a/run.json"


def test_the_reason_stands_with_its_code() -> None:
    lines = run_report(run("refused", reason="No lock.", reason_code="lock_not_available"), "x")
    assert lines[1:3] == ["Reason: No lock.", "Reason code: lock_not_available"]
    assert not [line for line in run_report(run("deployed"), "x") if line.startswith("Reason")]


@pytest.mark.parametrize(("rows", "words"), [(1, "1 row waits"), (3015, "3,015 rows wait")])
def test_rows_that_wait_stand_in_the_first_line(rows: int, words: str) -> None:
    lines = run_report(run("deployed", rows_waiting=rows), "x")
    assert lines[0] == f"deployed, and {words}: 009 on library (database midi)"
    (line,) = [line for line in lines if line.startswith("Next:")]
    assert line.startswith("Next: ansible-playbook playbooks/salvage.yml")
    assert run_report(run("deployed", rows_waiting=0), "x")[0] == "deployed: 009 on library (database midi)"


def test_where_a_command_goes_back_to_a_restore_point_it_is_said() -> None:
    backup = {"kind": "restore_point", "why": "so", "restore_point": "runbook_r1", "lsn": "0/1"}
    facts = {"playbook": "emergency_rollback", "restorable_run": "r0"}
    back = "ansible-playbook playbooks/restore.yml -e run_id=r0 -e restore_to=runbook_r1"
    for engine, said in (("pgbackrest", True), ("pg_dump", False)):
        lines = run_report(run("rolled_back", emergency_backup={**backup, "engine": engine}, **facts), "x")
        assert any(line.endswith(back) for line in lines) is said
    lines = run_report(run("rolled_back", emergency_backup={**backup, "engine": "pgbackrest"}), "x")
    assert any("-e run_id=r1 -e restore_to=runbook_r1" in line for line in lines)


def test_a_rollback_promises_what_the_next_deploy_will_do() -> None:
    item = {
        "item": 4,
        "migration": "009",
        "table": "public.tag",
        "kind": "dropped table",
        "columns": ["name"],
    }
    content = run("rolled_back", "emergency_rollback", salvage=[{**item, "rows": 403}])
    (line,) = [line for line in run_report(content, "x") if line.startswith("Kept:")]
    assert line == (
        "Kept: 403 rows of public.tag (dropped table); the next deploy of 009 puts back what it can, and"
        " says what waits"
    )
    (line,) = [line for line in run_report(content, "x", restores_salvage=False) if line.startswith("Kept:")]
    assert "next deploy" not in line
    assert "no deploy puts them back, because restore_salvage is false" in line
    assert "playbooks/salvage.yml -e salvage_action=put_back -e salvage_item=4" in line


def restored(**facts: Any) -> dict[Any, Any]:
    return {
        "replaced": "midi_before_x",
        "held_off_seconds": 0.42,
        "carried_over": True,
        "rows": {
            "tables": {"public.files": {"added": 2, "changed": 0, "deleted": 1}},
            "only_live": {"tables": {"public.tag": 5}, "columns": {"public.files.copyright": 3}},
            "large_objects": 0,
            "paths_changed": {"public.files.filepath": 12},
        },
        "left": {
            "tables": {"public.files": 1},
            "rows": [{"table": "public.files", "key": "(id) = (7)", "reason": "no parent"}],
        },
        "not_carried": ["ALTER ROLE app ..."],
        **facts,
    }


def test_a_restore_says_what_became_of_the_rows_since() -> None:
    text = "\n".join(run_report(run("restored", "restore", restore=restored()), "x"))
    for line in (
        "Replaced: database midi_before_x holds what production was.",
        "Since the backup: public.files: 2 added, 1 deleted",
        "Those rows were carried over.",
        "NOT CARRIED OVER: 1 rows of public.files",
        "public.files (id) = (7): no parent",
        "Not in the backup: table public.tag, 5 rows",
        "Not in the backup: column public.files.copyright, in 3 rows",
        "Files on disk: NOT MOVED BACK, while 12 values of public.files.filepath are those of the backup",
        "For a superuser: ALTER ROLE app ...",
    ):
        assert line in text
    assert "more" not in text
    many = {"tables": {"public.files": 40, "public.tag": 17}, "rows": restored()["left"]["rows"] * 20}
    assert "and 37 more" in "\n".join(
        run_report(run("restored", "restore", restore=restored(left=many)), "x")
    )
    without = restored(carried_over=False, left={"tables": {}, "rows": []})
    text = "\n".join(run_report(run("restored", "restore", restore=without), "x"))
    assert "Those rows are only in midi_before_x" in text


def test_a_restore_that_goes_on_after_a_kill_says_who_swapped() -> None:
    found = {"swapped_by": "r0", "replaced": "midi_before_x"}
    lines = run_report(run("restored", "restore", restore=found), "x")
    assert "The databases were swapped by run r0, which was interrupted after it." in lines


def test_a_run_without_migration_or_times_is_reported_too() -> None:
    lines = run_report(run("refused", steps=[("preflight", "failed")], migrations=[], reason="no."), "x")
    assert lines[0].startswith("refused: no migration on")
    assert "Reason: no." in lines
    bare = run("refused", steps=[("preflight", "failed")])
    bare["steps"][0]["seconds"] = None
    assert "Steps: preflight failed" in run_report(bare, "x")


def test_nothing_pending() -> None:
    lines = run_report(run("deployed", migrations=[], reason="nothing was pending"), "x")
    assert "State: Nothing was pending, and nothing was done." in lines


@pytest.mark.parametrize(
    ("applied", "rolled_back", "words"),
    [
        ([], [], "it had committed nothing."),
        (["001", "002"], [], "it had applied 001, 002."),
        ([], ["002"], "it had rolled back 002."),
        (["001"], ["002"], "it had applied 001 and rolled back 002."),
    ],
)
def test_an_interrupted_run_is_told_with_what_it_had_committed(
    applied: list[Any], rolled_back: list[Any], words: str
) -> None:
    interrupted = {
        "run_id": "earlier",
        "playbook": "deploy",
        "migrations": ["001", "002"],
        "applied": applied,
        "rolled_back": rolled_back,
    }
    lines = run_report(run("deployed", interrupted_run=interrupted), "run.json")
    assert f"Before: run earlier (deploy of 001, 002) was interrupted; {words}" in lines


def test_a_sequence_that_a_rollback_does_not_set_back_is_told() -> None:
    proof = {"sequences_moved": {"012": {"public.b_seq": [1, 9], "public.a_seq": [1, 5]}}}
    lines = run_report(run("deployed", proof=proof), "run.json")
    told = "Rollback of 012: rows and schema come back, but not the next value of public.a_seq, public.b_seq"
    assert told in lines


IMPACT = {"seconds": 1.5, "locks": [], "rewritten": {}, "rows": {}, "wal_bytes": 3 * 2**20}


@pytest.mark.parametrize(
    ("wal", "words"),
    [
        (None, "3.0 MB of WAL of the whole server, full-page images included"),
        (
            {"bytes": 4 * 2**20, "records": 77, "full_page_images": 384, "bytes_without_images": 2**20},
            "77 WAL records in 4.0 MB, up to 3.0 MB of it full-page images",
        ),
    ],
)
def test_full_page_images_are_told_apart_on_both_sides_where_the_server_can(
    wal: dict[str, Any] | None, words: str
) -> None:
    impact = {"002": {side: {**IMPACT, "session_wal": wal} for side in ("copy", "production")}}
    lines = run_report(run("deployed", impact=impact), "run.json")
    assert f"Impact of 002 on the copy: 1.50 s; {words}" in lines
    assert f"Impact of 002 in production: 1.50 s; {words}" in lines


FOLLOWED = {"renamed": 3, "rows": 9, "missing": 0, "extra": 2}


@pytest.mark.parametrize(
    ("hosts", "words"),
    [
        ({}, ["Files on disk: NOT TOUCHED", "names", "no group library"]),
        ({"media1": None}, ["Files on media1: not all have followed"]),
        ({"media1": FOLLOWED}, ["Files on media1: 3 renamed; 9 rows and files agree, 2 files without a row"]),
        ({"media1": {**FOLLOWED, "missing": 4}}, ["4 are missing"]),
    ],
)
def test_what_became_of_files_is_said(hosts: dict[str, Any], words: list[Any]) -> None:
    files = {"migrations": ["names"], "hosts": hosts}
    (line,) = [line for line in run_report(run("deployed", files=files), "x") if line.startswith("Files on")]
    assert all(word in line for word in words)
    untouched = run_report(run("refused", files=files), "x")
    assert not [line for line in untouched if line.startswith("Files on")], "production was not touched"


def test_objects_that_got_their_privileges_again_are_named() -> None:
    lines = run_report(run("rolled_back", "emergency_rollback", privileges_again=["view public.v"]), "x")
    line = "Privileges: view public.v was made again, with what was granted and revoked since the deploy"
    assert line in lines
    assert not [line for line in run_report(run("rolled_back"), "x") if line.startswith("Privileges")]


def test_rows_that_a_rollback_does_not_give_back_are_named_and_the_state_says_so() -> None:
    words = "public.t: as many rows, with other values: 100 rows changed in updated"
    proof = {
        "not_given_back": {"009": [{"table": "public.t", "words": words}]},
        "not_compared": {"008": ["public.t"]},
    }
    for outcome, playbook in (("deployed", "deploy"), ("rolled_back", "emergency_rollback")):
        lines = run_report(run(outcome, playbook, proof=proof), "x")
        assert f"Rollback of 009 does not give back, as the header declares: {words}" in lines
        assert (
            "Rollback of 008: the rows of public.t could not be compared after the later rollbacks" in lines
        )
    (state,) = [line for line in lines if line.startswith("State:")]
    assert state.endswith("and its rows but for those that the rollback does not give back.")


def test_limits_that_a_script_tried_to_lift_are_said_once_for_all_places() -> None:
    measured = {
        "seconds": 1.0,
        "locks": [],
        "rewritten": {},
        "rows": {},
        "wal_bytes": 0,
        "statements": [
            {"line": 1, "seconds": 0.0, "limits_lifted": ["lock_timeout = 0"]},
            {"line": 2, "seconds": 1.0},
        ],
    }
    lines = run_report(run("deployed", impact={"009": {"copy": measured, "production": measured}}), "x")
    assert [line for line in lines if line.startswith("Limits")] == [
        "Limits of 009: line 1 sets lock_timeout = 0, without effect: lock_timeout_seconds and"
        " statement_timeout_seconds are the runbook's"
    ]


def test_what_is_said_of_replication_is_a_line_each() -> None:
    lines = run_report(run("deployed", replication=["s1 lags.", "s2 too."]), "x")
    assert [line for line in lines if "lags" in line or "too" in line] == [
        "Replication: s1 lags.",
        "Replication: s2 too.",
    ]


def test_rows_that_no_dump_has_are_a_line_each() -> None:
    lost = {"table": "public.own", "extension": "hstore", "rows": 2, "rows_in_copy": None}
    lines = run_report(run("deployed", not_in_backup=[lost, {**lost, "rows_in_copy": 1}]), "x")
    assert [line for line in lines if line.startswith("Not in the backup")] == [
        "Not in the backup: 2 rows of public.own (of extension hstore): what was restored has no such table",
        "Not in the backup: 2 rows of public.own (of extension hstore): what was restored has 1, or others",
    ]


def test_what_a_superuser_calls_of_others_is_a_line() -> None:
    lines = run_report(run("deployed", called_as_superuser=["Role midi is a superuser."]), "x")
    assert "Rights: Role midi is a superuser." in lines


def test_an_application_that_is_out_of_service_still_is_never_left_out() -> None:
    ended = run("failed", reason="no", out_of_service="the server is away")
    for lines in (run_report(ended, "x"), short_report(ended, "x", limit=10)):
        (line,) = [line for line in lines if line.startswith("OUT OF SERVICE:")]
        assert "the server is away" in line
        assert line.endswith("ansible-playbook playbooks/status.yml")


def test_what_a_rollback_to_a_tag_does_not_bring_back_is_named() -> None:
    lines = run_report(run("rolled_back", taken_back_since=["002", "003"]), "run.json")
    (line,) = [line for line in lines if line.startswith("Not as at that tag: ")]
    assert "002, 003 was in place then" in line
    assert line.endswith("ansible-playbook deploy.yml -e migration=pending")


def test_of_many_lines_each_kind_has_its_first() -> None:
    many = [{"event": "end", "reason": f"reason {number}"} for number in range(30)]
    proof = {"rehearsed": ["009"], "schema_restored": True, "data_restored": True}
    lock = {"table": "public.files", "mode": "AccessExclusiveLock", "held_seconds": 0.2}
    impact = {"009": {"production": {"locks": [lock]}}}
    lines = short_report(run("deployed", unannounced=many, proof=proof, impact=impact), "run.json")
    assert len(lines) == 15
    assert [line for line in lines if line.startswith("Locked by 009")]
    assert [line for line in lines if line.startswith("Proven")]
    (left,) = [line for line in lines if line.startswith("And ")]
    told = len([line for line in lines if line.startswith("Nobody was told")])
    assert left == f"And {30 - told} more lines, of which the record has the facts."
