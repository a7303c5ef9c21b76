# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a step fails: its answer and its receipt give the code beside the sentence."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.step_runs import StepRuns


def outputs_of_receipt(runs: StepRuns, step: str) -> dict[str, Any]:
    """The outputs in the newest receipt of a step."""
    found = runs.ask(f"SELECT document FROM runbook.receipt WHERE step = '{step}'")
    return json.loads(found[-1][0])["outputs"]


def test_a_refusal_gives_its_code(runs: StepRuns) -> None:
    runs.must("preflight")
    answer = runs.step("verify_restore")
    assert answer["reason_code"] == "step_out_of_order"
    assert outputs_of_receipt(runs, "verify_restore") == {
        "reason_code": "step_out_of_order",
        "reason": answer["msg"],
    }


def refuse(runs: StepRuns, table: str, condition: str) -> None:
    """Let INSERT into a table fail under a condition on NEW."""
    runs.execute(
        "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN IF {condition} THEN RAISE EXCEPTION 'not here'; END IF; RETURN NEW; END $$",
        f"CREATE TRIGGER refuse BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION public.refuse()",
    )


def test_an_error_of_postgresql_gives_its_sqlstate(runs: StepRuns) -> None:
    runs.must("preflight")
    refuse(runs, "runbook.receipt", "NEW.document::jsonb ->> 'status' = 'ok'")
    answer = runs.step("maintenance_window")
    assert answer["msg"] == "PostgreSQL ended step maintenance_window: not here."
    assert (answer["reason_code"], answer["details"]) == ("postgresql_error", {"sqlstate": "P0001"})
    assert outputs_of_receipt(runs, "maintenance_window")["reason_code"] == "postgresql_error"


def test_an_error_of_postgresql_in_production_gives_its_sqlstate(runs: StepRuns) -> None:
    refuse(runs, "schema_migrations", f"current_database() = '{runs.database}'")
    runs.up_to("rehearse")
    answer = runs.step("apply")
    assert (answer["outcome"], answer["reason_code"]) == ("unchanged", "postgresql_error"), answer["msg"]
    assert answer["details"] == {"sqlstate": "P0001"}
