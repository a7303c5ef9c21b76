# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rights of others on the runbook's schemas, and receipts that were cut off."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.privileges import rights_of_others

from tests.integration.step_runs import StepRuns

# On a table, on one column, on a schema, and through PUBLIC.
HARMFUL = [
    "GRANT INSERT ON runbook.receipt TO {role}",
    "GRANT UPDATE (signature) ON runbook.receipt TO {role}",
    "GRANT CREATE ON SCHEMA runbook TO {role}",
    "GRANT SELECT ON runbook_salvage.kept_row TO {role}",
    "GRANT SELECT (kept) ON runbook_salvage.kept_row TO PUBLIC",
    "ALTER TABLE runbook.receipt OWNER TO {role}",
    "ALTER ROLE {role} LOGIN; GRANT pg_write_all_data TO {role}",
]


@pytest.fixture
def role(runs: StepRuns) -> Iterator[str]:
    runs.up_to("apply")
    runs.conclude()
    runs.execute("DROP ROLE IF EXISTS clerk", "CREATE ROLE clerk")
    yield "clerk"
    runs.execute("DROP OWNED BY clerk", "DROP ROLE clerk")


def status(runs: StepRuns) -> dict:
    return runs.another("status").must("status")["outputs"]


def test_rights_are_told_refused_and_gone_with_the_command_that_is_named(runs: StepRuns, role: str) -> None:
    for grant in HARMFUL:
        runs.execute(grant.format(role=role))
        answer = runs.another(wanted="002").step("preflight")
        assert answer["failed"], grant
        (right,) = status(runs)["rights_of_others"]
        runs.execute(right["revoke"])
        assert status(runs)["rights_of_others"] == [], grant


def test_whoever_manages_roles_remains(runs: StepRuns, role: str) -> None:
    runs.execute(f"ALTER ROLE {role} LOGIN CREATEROLE", f"GRANT pg_write_all_data TO {role}")
    assert status(runs)["rights_of_others"] == []
    runs.execute(f"REVOKE pg_write_all_data FROM {role}")


def test_a_deploy_is_refused_and_a_rollback_only_warns(runs: StepRuns, role: str) -> None:
    runs.execute(f"GRANT INSERT, DELETE ON runbook.receipt TO {role}")
    runs.write(migrations__003_more="CREATE TABLE more ();", rollback__003_more_rollback="DROP TABLE more;")
    answer = runs.another(wanted="003").step("preflight")
    assert answer["reason_code"] == "ledger_open_to_others"
    assert 'REVOKE ALL ON TABLE "runbook"."receipt" FROM "clerk"' in answer["msg"]
    rollback = runs.another("emergency_rollback").must("preflight")
    assert any("clerk has DELETE, INSERT" in str(warning) for warning in rollback["warnings"]), rollback[
        "warnings"
    ]


def test_whoever_only_reads_the_ledger_is_let(runs: StepRuns, role: str) -> None:
    runs.execute(f"GRANT USAGE ON SCHEMA runbook TO {role}", f"GRANT SELECT ON runbook.receipt TO {role}")
    assert status(runs)["rights_of_others"] == []
    with contextlib.closing(runs.server.connect(runs.database)) as connection, connection.cursor() as cursor:
        found = {one.name: (one.privileges, one.harmful) for one in rights_of_others(cursor)}
    assert found == {'"runbook"': (["USAGE"], False), '"runbook"."receipt"': (["SELECT"], False)}


def test_what_default_privileges_gave_to_later_objects(runs: StepRuns) -> None:
    runs.execute(
        "DROP ROLE IF EXISTS clerk",
        "CREATE ROLE clerk",
        "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO clerk",
        "ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO clerk",
        "ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO clerk",
    )
    runs.up_to("apply")
    assert status(runs)["rights_of_others"] == []
    runs.execute("DROP OWNED BY clerk", "DROP ROLE clerk")


GIVES_AWAY = """
    CREATE FUNCTION give_away() RETURNS event_trigger LANGUAGE plpgsql AS $$ DECLARE made record; BEGIN
        FOR made IN SELECT object_identity FROM pg_event_trigger_ddl_commands() WHERE object_type = 'table' LOOP
            EXECUTE format('ALTER TABLE %s OWNER TO clerk', made.object_identity);
        END LOOP;
    END $$"""


@pytest.fixture
def gives_away(runs: StepRuns) -> Iterator[StepRuns]:
    """Each new table belongs to the application's role, as many applications have it."""
    runs.execute("DROP ROLE IF EXISTS clerk", "CREATE ROLE clerk", GIVES_AWAY)
    yield runs
    runs.execute("DROP EVENT TRIGGER gives_away", "DROP OWNED BY clerk", "DROP ROLE clerk")


OWNERS = """
    SELECT DISTINCT pg_get_userbyid(relowner)::text FROM pg_class
    WHERE relnamespace IN ('runbook'::regnamespace, 'runbook_salvage'::regnamespace)"""


def test_an_event_trigger_gives_nobody_the_ledger(gives_away: StepRuns) -> None:
    gives_away.execute(
        "CREATE EVENT TRIGGER gives_away ON ddl_command_end WHEN TAG IN ('CREATE TABLE')"
        " EXECUTE FUNCTION give_away()"
    )
    gives_away.deploy()
    assert gives_away.ask(OWNERS) == [(gives_away.server.user,)]


def test_one_that_gives_it_away_again_is_refused(gives_away: StepRuns) -> None:
    gives_away.execute("CREATE EVENT TRIGGER gives_away ON ddl_command_end EXECUTE FUNCTION give_away()")
    gives_away.execute(
        "CREATE OR REPLACE FUNCTION give_away() RETURNS event_trigger LANGUAGE plpgsql AS $$ DECLARE made oid; BEGIN"
        " FOR made IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relowner <> 'clerk'::regrole"
        " AND relnamespace = to_regnamespace('runbook') LOOP"
        " EXECUTE format('ALTER TABLE %s OWNER TO clerk', made::regclass); END LOOP; END $$"
    )
    answer = gives_away.step("preflight")
    assert (answer["outcome"], answer["reason_code"]) == ("refused", "ledger_open_to_others"), answer
    assert "An event trigger of this database gives the tables" in answer["msg"]
    assert gives_away.ask("SELECT to_regclass('runbook.receipt')") == [(None,)]


def test_a_receipt_cut_off_at_the_end_is_seen(runs: StepRuns) -> None:
    runs.up_to("apply")
    runs.conclude()
    assert status(runs)["cut_off"] is None
    runs.execute("DELETE FROM runbook.receipt WHERE position = (SELECT max(position) FROM runbook.receipt)")
    found = status(runs)
    assert found["broken_receipt"] is None
    assert found["cut_off"] == "receipt 6 was the last one that was written, and the ledger ends with 5"
    runs.execute("DELETE FROM runbook.receipt")
    assert status(runs)["cut_off"].endswith("and the ledger ends with 0")
