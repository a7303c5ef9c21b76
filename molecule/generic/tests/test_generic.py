# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plain scripts of any application are deployed and rolled back as they are."""

from __future__ import annotations

import json

VERSIONS = ["001", "002", "003", "012_a", "012_b"]


def test_all_scripts_were_deployed_in_order(scenario_state):
    first = min((scenario_state / "artifacts").glob("2*/run.json"))
    run = json.loads(first.read_text())
    assert (run["outcome"], run["migrations"], run["database"]) == ("deployed", VERSIONS, "application")


def test_scripts_did_what_they_say(snapshot_of):
    tables = snapshot_of("deployed")["tables"]
    assert tables["public.customers"]["rows"] == [[str(n), f"Customer; {n}"] for n in (1, 2, 3)]
    assert tables["public.orders"] == {
        "columns": ["id", "customer_id", "first", "second"],
        "rows": [["1", "1", "a;b", "it's; done"], ["2", "3", "a;b", "it's; done"]],
    }
    assert "CREATE FUNCTION public.greeting(" in snapshot_of("deployed")["schema"]
    assert "CREATE FUNCTION public.order_count(" in snapshot_of("deployed")["schema"]


def test_versions_were_recorded_in_a_table_made_for_it(snapshot_of):
    table = snapshot_of("deployed")["tables"]["public.schema_migrations"]
    assert [row[table["columns"].index("version")] for row in table["rows"]] == VERSIONS


def test_rollback_of_all_leaves_nothing(record_of, snapshot_of, present):
    run = record_of("back")
    assert (run["outcome"], run["migrations"]) == ("rolled_back", VERSIONS[::-1])
    assert run["proof"]["schema_restored"] is True
    assert present("application") == snapshot_of("empty")
    assert "public.schema_migrations" not in present("application")["tables"]


def test_full_name_deploys_one_of_two_with_a_number(record_of, snapshot_of):
    assert (record_of("by_full_name")["outcome"], record_of("by_full_name")["migrations"]) == (
        "deployed",
        ["012_b"],
    )
    tables = snapshot_of("own_table_deployed")["tables"]
    assert tables["public.orders"]["columns"] == ["id", "customer_id", "first", "second"]
    # The application's own table is used as it is: it has no description.
    assert tables["public.schema_migrations"] == {
        "columns": ["version"],
        "rows": [["001"], ["002"], ["003"], ["012_a"], ["012_b"]],
    }


def test_full_name_rolls_it_back(record_of, snapshot_of, present):
    assert record_of("back_by_full_name")["outcome"] == "rolled_back"
    assert present("own_table") == snapshot_of("own_table")


def test_bare_number_of_two_is_ambiguous(record_of):
    run = record_of("bare_number")
    assert (run["outcome"], run["failed_step"]) == ("refused", "preflight")
    assert "migration 012 is ambiguous: 012_a and 012_b" in run["reason"]


def test_meta_command_is_refused_with_its_line(record_of):
    run = record_of("meta_command")
    assert (run["outcome"], run["failed_step"]) == ("refused", "preflight")
    assert "001_import.sql" in run["reason"]
    assert "4" in run["reason"].split("001_import.sql", 1)[1][:12]
    assert "\\copy" in run["reason"]


def test_refusals_changed_nothing(snapshot_of, present, query):
    assert present("refused") == snapshot_of("refused")
    assert query("refused", "SELECT to_regnamespace('runbook')") == [(None,)]
