# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Steps and proofs of a run as test cases, for whatever reads JUnit's XML."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.report.junit import as_junit

from tests.unit.record.records import ALL_STEPS, failed, ok, record, run_until, settled


def suite_of(content: dict[str, Any]) -> ElementTree.Element:
    (suite,) = ElementTree.fromstring(as_junit(content).encode())
    return suite


def cases(suite: ElementTree.Element) -> dict[str, str]:
    """Name of each case -> "ok", "failure" or "skipped"."""
    return {one.get("name", ""): one[0].tag if len(one) else "ok" for one in suite}


@pytest.mark.parametrize("playbook", sorted(ALL_STEPS))
def test_a_run_that_went_well(tmp_path: Path, playbook: str) -> None:
    made = run_until(record(tmp_path, playbook), "announce")
    made.end("announce", ok())
    settled(made)
    suite = suite_of(made.content)
    assert list(cases(suite))[: len(ALL_STEPS[playbook])] == list(ALL_STEPS[playbook])
    assert set(cases(suite).values()) == {"ok"}
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == (str(len(suite)), "0", "0")


def test_one_that_was_refused(tmp_path: Path) -> None:
    made = run_until(record(tmp_path), "rehearse")
    made.end("rehearse", failed("column a.b\nis \x00 gone & <lost>"))
    settled(made)
    suite = suite_of(made.content)
    assert cases(suite)["rehearse"] == "failure"
    assert cases(suite)["apply"] == cases(suite)["smoke_test"] == "skipped"
    (failure,) = suite.iter("failure")
    assert failure.get("message") == "column a.b"
    assert failure.text == "column a.b\nis \ufffd gone & <lost>"
    assert failure.get("type") == made.content["reason_code"]


def test_a_proof_that_failed_is_a_case_that_failed(tmp_path: Path) -> None:
    made = run_until(record(tmp_path), "rehearse")
    made.content["proof"] = {"schema_restored": True, "data_restored": False}
    suite = cases(suite_of(made.content))
    assert suite["the rollback gives back the schema"] == "ok"
    assert suite["the rollback gives back the rows"] == "failure"


def test_rows_that_were_not_there_did_not_come_back(tmp_path: Path) -> None:
    made = run_until(record(tmp_path), "rehearse")
    made.content["proof"] = {
        "schema_restored": True,
        "data_restored": True,
        "rows": {"009": {"rows": 0, "tables": {}, "more": 0}},
    }
    assert cases(suite_of(made.content))["the rollback gives back the rows"] == "skipped"
    made.content["proof"]["rows"]["010"] = {"rows": 1, "tables": {"t": 1}, "more": 0}
    assert cases(suite_of(made.content))["the rollback gives back the rows"] == "ok"


def test_a_task_beside_the_steps_fails_the_run(tmp_path: Path) -> None:
    made = run_until(record(tmp_path), "announce")
    settled(made, "a task says no")
    assert cases(suite_of(made.content))["deploy"] == "failure"
