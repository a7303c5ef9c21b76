# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a rollback has kept, and what a person asks the module salvage about it."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.step_runs import StepRuns

SALVAGE = "SELECT item, key, kept, held_back FROM runbook_salvage.kept_row ORDER BY item, number"

# Text that a bad quoting would not survive, and NULL beside the empty string.
WRITES = (
    "INSERT INTO star (mark, blob) VALUES ('it''s, \"quoted\"', '\\x00ff5c'), (NULL, NULL), ('', ''),"
    " (E'two\\nlines \\\\ (and) a {brace}', '\\x27'), ('äöü €', NULL)",
    "UPDATE notes SET author = 'ada' WHERE id = 1",
    "UPDATE notes SET author = '' WHERE id = 3",
)


def deploy(runs: StepRuns, **options: Any) -> None:
    run = runs.another()
    run.up_to("verify_restore")
    run.must("rehearse", **options)
    run.must("apply", **options)
    run.conclude("deployed")


def roll_back(runs: StepRuns) -> None:
    runs.another("emergency_rollback").roll_back()


def items(runs: StepRuns) -> dict[tuple[str, str], dict[str, Any]]:
    """(kind, table) -> item, as the module lists them."""
    found = runs.must("salvage")["outputs"]["items"]
    return {(item["kind"], item["table"]): item for item in found}


def number(runs: StepRuns, kind: str) -> int:
    return next(item["item"] for (found, _), item in items(runs).items() if found == kind)


def refusal(runs: StepRuns, **options: Any) -> str:
    """The reason of a refusal, which changes nothing and writes nothing."""
    before = runs.ask(SALVAGE), runs.ask("SELECT count(*) FROM runbook.run")
    answer = runs.step("salvage", **options)
    assert (answer["failed"], answer["changed"]) == (True, False)
    assert (runs.ask(SALVAGE), runs.ask("SELECT count(*) FROM runbook.run")) == before
    return answer["msg"]


def confirmation(runs: StepRuns, **options: Any) -> str:
    """The word that lets a purge happen, out of the refusal that names what would go."""
    return refusal(runs.another("salvage"), action="purge", **options).rpartition("salvage_confirm=")[2]


def newest_receipt(runs: StepRuns) -> dict[str, Any]:
    ((document,),) = runs.ask("SELECT document FROM runbook.receipt ORDER BY position DESC LIMIT 1")
    return json.loads(document)
