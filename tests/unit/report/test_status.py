# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Report for people: where a database stands."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.report.status import status_report


def status(**facts: Any) -> dict[Any, Any]:
    migration = {"version": "009", "stem": "009_text", "state": "applied", "edited": [], "proof": None}
    return {
        "migrations": [migration],
        "in_place_but_unrecorded": [],
        "unknown_versions": [],
        "last_run": None,
        "unfinished_run": None,
        "broken_receipt": None,
        "receipts": 4,
        "drift": [],
        "salvage": [],
        "adoption": {},
        "layout": {"release": 3, "newest": 3},
        **facts,
    }


def test_status_of_a_sound_database() -> None:
    lines = status_report(status(), "library")
    assert lines == [
        "library:",
        "  009_text  applied, rollback not proven in this database",
        "Receipts: 4, the chain is whole",
    ]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"unknown_versions": ["042"]}, "  042: recorded as applied, and sql_dir has no such migration"),
        ({"drift": ["table public.x: was not there before"]}, "  table public.x: was not there before"),
        (
            {"layout": {"release": 1, "newest": 3}},
            "The runbook's schemas have the layout of release 1: the next deploy, rollback or restore brings them to"
            " release 3",
        ),
        (
            {"broken_receipt": {"run_id": "r7", "step": "apply", "migration": "009", "finished": "t"}},
            "RECEIPTS CHANGED: the one of apply 009 in run r7 is no longer as it was written, or one before it is gone;"
            " a deploy is refused until somebody types -e accept_broken_chain=true with it",
        ),
        (
            {"cut_off": "receipt 6 was the last one"},
            "RECEIPTS CUT OFF: receipt 6 was the last one; a deploy is refused until somebody types"
            " -e accept_broken_chain=true with it",
        ),
        (
            {"accepted_chain": [{"run_id": "r9", "faults": ["receipt 6 was the last one"]}]},
            "RECEIPTS ACCEPTED: run r9 went on although receipt 6 was the last one",
        ),
        (
            {
                "unfinished_run": {
                    **{"run_id": "r8", "operator": "ada@host", "started": "t0"},
                    "committed": {"applied": ["002"], "rolled_back": []},
                }
            },
            "In progress or interrupted: r8 by ada@host, since t0; it has applied 002",
        ),
        (
            {"in_place_but_unrecorded": ["002", "006"]},
            "NOT ADOPTED: the objects of 002, 006 are in place without being recorded:"
            " ansible-playbook playbooks/status.yml -e adopt=true",
        ),
        (
            {
                "last_run": {
                    "run_id": "r9",
                    "playbook": "deploy",
                    "migrations": ["009"],
                    "operator": "ada",
                    "outcome": None,
                    "reason": None,
                }
            },
            "Last run: r9, deploy of 009 by ada: not ended",
        ),
        (
            {"adoption": {"009": {"state": "partial", "missing": ["table public.t is missing"]}}},
            "  009_text  applied, partial, table public.t is missing, rollback not proven in this database",
        ),
        (
            {"adoption": {"009": {"state": "undecided", "missing": [], "reason": "x.sql: no"}}},
            "  009_text  applied, not decided, and not recorded, x.sql: no, rollback not proven in this database",
        ),
        (
            {"adoption": {"009": {"state": "in place", "missing": []}}},
            "  009_text  applied, found in place and recorded, rollback not proven in this database",
        ),
        (
            {"adoption": {"009": {"state": "unknown", "missing": []}}},
            "  009_text  applied, unknown, it makes no object by which one could tell,"
            " rollback not proven in this database",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_status_says_what_is_not_as_it_should_be(facts: dict[str, Any], expected: str) -> None:
    assert expected in status_report(status(**facts), "library")


@pytest.mark.parametrize("release", [0, 3])
def test_status_says_nothing_of_a_layout_that_is_none_or_the_newest(release: int) -> None:
    lines = status_report(status(layout={"release": release, "newest": 3}), "library")
    assert not [line for line in lines if "layout" in line]


def test_status_names_edited_scripts_and_proofs() -> None:
    one = status()
    proof = {"run_id": "r5", "finished": "t", "rows_compared": 120}
    one["migrations"][0].update(edited=["rollback"], proof=proof)
    assert status_report(one, "x")[1] == (
        "  009_text  applied, EDITED: its rollback script is not the one that was deployed,"
        " rollback proven by run r5 (120 rows compared)"
    )


def test_a_rollback_that_was_rehearsed_without_rows_is_not_called_proven() -> None:
    one = status()
    one["migrations"][0]["proof"] = {"run_id": "r5", "finished": "t", "rows_compared": 0}
    assert status_report(one, "x")[1].endswith(
        "rollback rehearsed by run r5 without rows to compare, and so not proven"
    )


def test_status_of_an_empty_folder() -> None:
    assert status_report(status(migrations=[]), "x")[0] == "x:"


def test_status_says_how_old_salvage_is_and_why_it_is_held_back() -> None:
    item = {
        "item": 3,
        "migration": "003",
        "table": "public.favorites",
        "kind": "dropped table",
        "rows": 5,
        "held_back": 3,
        "reasons": {"its row is gone": 1, "another row has its key": 2},
        "bytes": 2**20,
        "kept": "2026-01-01 00:00:00 UTC",
        "age_days": 1,
    }
    expected = (
        "Salvage of 003: 5 rows of public.favorites (dropped table, 1.0 MB), kept 2026-01-01 00:00:00 UTC, 1 day old,"
        " 3 of them held back (2: another row has its key; 1: its row is gone)"
    )
    assert expected in status_report(status(salvage=[item]), "library")


@pytest.mark.parametrize(
    ("state", "followed", "expected"),
    [
        (
            "applied",
            ["media1"],
            "FILES BEHIND: 7 files on disk have not followed the deploy of 003 (run r1; media1 has):"
            " ansible-playbook deploy.yml -e migration=003",
        ),
        (
            "pending",
            [],
            "FILES BEHIND: 7 files on disk have not followed the deploy of 003 (run r1):"
            " ansible-playbook emergency_rollback.yml -e migration=003",
        ),
    ],
)
def test_status_names_files_that_were_left_behind(state: str, followed: list[Any], expected: str) -> None:
    migration = {"version": "003", "stem": "003_x", "state": state, "edited": [], "proof": None}
    behind = {
        "migration": "003",
        "direction": "deploy",
        "run_id": "r1",
        "changes": 7,
        "followed_on": followed,
    }
    assert expected in status_report(status(migrations=[migration], files_behind=[behind]), "library")


def test_the_status_says_which_rows_wait_until_they_are_settled() -> None:
    lines = status_report(status(rows_waiting={"009": 3015}), "library")
    (line,) = [line for line in lines if line.startswith("NOT SETTLED")]
    assert line.startswith(
        "NOT SETTLED: 3,015 rows wait that a rollback of 009 had kept, though 009 is applied again"
    )
    assert "ansible-playbook playbooks/salvage.yml" in line
    assert "NOT SETTLED" not in "".join(status_report(status(rows_waiting={}), "library"))


def test_the_status_says_which_tables_a_rollback_does_not_give_back() -> None:
    proof = {"run_id": "r1", "rows_compared": 10, "not_given_back": ["public.t"]}
    facts = status()
    facts["migrations"][0]["proof"] = proof
    (line,) = [line for line in status_report(facts, "library") if "009_text" in line]
    assert line.endswith("(10 rows compared; it does not give back all rows of public.t, which was accepted)")


def test_a_run_that_is_at_work_is_said_with_its_session() -> None:
    unfinished = {
        "run_id": "r8",
        "playbook": "deploy",
        "migrations": ["010"],
        "operator": "ada@host",
        "started": "t0",
    }
    session = {"pid": 7, "user": "midi", "since": "t1"}
    lines = status_report(
        status(unfinished_run=unfinished, at_work=session, not_read=["the schema: x"]), "library"
    )
    (line,) = [line for line in lines if line.startswith("IN PROGRESS")]
    assert (
        "run r8 (deploy of 010) by ada@host, since t0; at work is the server session pid 7 of user midi"
        in line
    )
    assert "NOT READ: the schema: x" in lines
    assert not [line for line in lines if line.startswith("In progress or interrupted")]
    (line,) = [line for line in status_report(status(at_work=session), "library") if "IN PROGRESS" in line]
    assert "a step that belongs to no run" in line


def test_what_is_half_done_is_said_with_the_command_that_finishes_it() -> None:
    half_done = {"migration": "010", "direction": "rollback", "done": 2, "run_id": "r8"}
    (line,) = [line for line in status_report(status(half_done=half_done), "library") if "HALF DONE" in line]
    assert line.startswith("HALF DONE: 010 (run r8): 2 statements of its rollback script are committed.")
    assert line.endswith("ansible-playbook emergency_rollback.yml -e migration=010")


LAST = {
    "run_id": "r9",
    "playbook": "emergency_rollback",
    "migrations": ["009"],
    "operator": "ada",
    "outcome": "deployed",
    "reason": None,
}


def test_an_outcome_that_is_contradicted_is_not_told_as_one() -> None:
    (line,) = [one for one in status_report(status(last_run=LAST), "library") if one.startswith("Last run")]
    assert line == "Last run: r9, emergency_rollback of 009 by ada: deployed"
    contradicted = [{"run_id": "r9", "outcome": "deployed", "why": "no run of emergency_rollback ends so"}]
    lines = status_report(status(last_run=LAST, contradicted=contradicted), "library")
    assert (
        lines[2] == "Last run: r9, emergency_rollback of 009 by ada: how it ended is CONTRADICTED, see below"
    )
    assert (
        "CONTRADICTED: the ledger says that run r9 ended as deployed, but no run of emergency_rollback ends so. Do not"
        " believe it: somebody has written into runbook.run, or the run could not say how it ended" in lines
    )


def test_a_backup_that_is_gone_is_told() -> None:
    gone = {"run_id": "r9", "why": "The backup is gone: /b is no longer there."}
    (line,) = [
        one for one in status_report(status(backup_gone=gone), "library") if one.startswith("BACKUP GONE")
    ]
    assert line == (
        "BACKUP GONE: that of run r9, the newest that was proven: The backup is gone: /b is no longer there. Which"
        " others there are says: ansible-playbook playbooks/restore.yml"
    )


def test_tags_that_are_not_shown_are_counted() -> None:
    tag = {"tag": "t5", "run_id": "r5", "started": "2026-01-01T00:00:00Z", "later": ["006", "007"]}
    lines = status_report(status(tags=[tag], tags_in_all=4), "library")
    at = next(number for number, line in enumerate(lines) if "Tag t5" in line)
    assert "ansible-playbook emergency_rollback.yml -e to=tag:t5 goes back to it" in lines[at]
    assert lines[at + 1].strip() == "and 3 older tags: ansible-playbook playbooks/history.yml"
    assert "older tag" not in "\n".join(status_report(status(tags=[tag], tags_in_all=1), "library"))
