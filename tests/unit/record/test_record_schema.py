# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""run.schema.json describes run.json, and nothing that is not in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.aftermath import SUCCESS
from ansible_collections.pgops.runbook.plugins.plugin_utils.record.first_content import FORMAT
from ansible_collections.pgops.runbook.plugins.plugin_utils.record.record import RunRecord

from tests.record_schema import SCHEMA, ValidationError, check_record, check_schema
from tests.unit.record.records import ALL_STEPS, failed, on_disk, record, run_until, settled


def test_it_is_a_schema() -> None:
    check_schema()


def test_it_names_what_a_new_record_has(tmp_path: Path) -> None:
    content = record(tmp_path).content
    assert sorted(SCHEMA["properties"]) == sorted(SCHEMA["required"]) == sorted(content)
    assert SCHEMA["properties"]["format"] == {"const": FORMAT}
    assert SCHEMA["properties"]["playbook"]["enum"] == sorted(SUCCESS)


@pytest.mark.parametrize("playbook", sorted(ALL_STEPS))
def test_every_step_of_a_run_leaves_a_valid_record(tmp_path: Path, playbook: str) -> None:
    made = record(tmp_path, playbook)
    made.begin("preflight")
    check_record(on_disk(made))
    settled(run_until(made, "announce"))
    check_record(on_disk(made))


def test_so_does_a_failure(tmp_path: Path) -> None:
    made = run_until(record(tmp_path), "rehearse")
    made.agree({"accept_drift": "true"})
    made.end("rehearse", failed("the copy says no"))
    settled(made, "the copy says no")
    check_record(json.loads(json.dumps(made.content)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"outcome": "fine"},
        {"ended": "yesterday"},
        {"consents": {"cascade": True}},
        {"sql_commit": {"commit": "HEAD", "changed": False}},
        {"steps": [{"step": "apply"}]},
        {"another": 1},
    ],
)
def test_what_is_not_a_record_is_none(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        check_record({**record(tmp_path).content, **wrong})


def test_a_record_that_an_older_version_began_is_gone_on_with(tmp_path: Path) -> None:
    made = record(tmp_path)
    for name in ("format", "consents", "operator", "sql_commit"):
        del made.content[name]
    made.begin("preflight")
    again = RunRecord(str(made.artifacts_dir), "run-1", {})
    again.agree({"accept_drift": True})
    assert again.content["consents"] == {"accept_drift": True}
