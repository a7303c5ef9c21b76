# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every right that a role lacks is named at once, and the commands that are named are all that it needs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.preflight.rights import (
    missing_in_production,
    missing_on_copy,
)

from tests.integration.step_runs import StepRuns


@pytest.fixture
def lacking(runs: StepRuns, admin: StepRuns) -> Iterator[StepRuns]:
    """Tables of two owners and of a superuser, a policy that hides rows, and a role that may do nothing."""
    runs.execute(
        "CREATE ROLE deployer LOGIN",
        'CREATE ROLE "App Owner"',
        "CREATE ROLE reports",
        'GRANT ALL ON SCHEMA public TO "App Owner", reports',
        'ALTER TABLE notes OWNER TO "App Owner"',
        'ALTER TABLE schema_migrations OWNER TO "App Owner"',
        "CREATE TABLE monthly (id int)",
        "ALTER TABLE monthly OWNER TO reports",
        "ALTER TABLE monthly ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
    )
    yield runs
    runs.user = None
    runs.execute(
        "DROP SCHEMA IF EXISTS runbook, runbook_salvage CASCADE",
        'DROP OWNED BY deployer, "App Owner", reports CASCADE',
        'DROP ROLE deployer, "App Owner", reports',
    )


def test_all_are_named_at_once_and_mended_by_what_is_named(lacking: StepRuns) -> None:
    lacking.execute("GRANT SELECT ON schema_migrations TO deployer")
    lacking.user = "deployer"
    answer = lacking.another().step("preflight")
    assert (answer["reason_code"], answer["outcome"]) == ("role_lacks_privilege", "refused")
    missing = answer["details"]["missing"]
    assert [sentence.split(" types: ")[1] for sentence in missing] == [
        f'GRANT CREATE ON DATABASE "{lacking.database}" TO "deployer"',
        'GRANT "App Owner" TO "deployer"',
        'GRANT "reports" TO "deployer"',
        'ALTER ROLE "deployer" BYPASSRLS',
        "ALTER ROLE deployer CREATEDB",
        'GRANT "App Owner" TO "deployer"',
        'GRANT "reports" TO "deployer"',
    ]
    assert all(sentence in answer["msg"] for sentence in missing)
    assert lacking.ask("SELECT to_regnamespace('runbook')") == [(None,)]
    for sentence in missing:
        lacking.execute(sentence.split(" types: ")[1])
    lacking.up_to("apply")
    lacking.conclude()
    lacking.execute("UPDATE notes SET author = 'ada' WHERE id = 1")
    back = lacking.another("emergency_rollback")
    back.must("preflight")
    back.must("backup", purpose="emergency", pg_bindir=back.server.bindir)
    back.steps("emergency_rollback", "smoke_test")
    back.conclude("rolled_back")
    again = lacking.another()
    again.up_to("apply")
    again.conclude()
    assert lacking.ask("SELECT author FROM notes WHERE id = 1") == [("ada",)]
    assert lacking.another("status").must("status")["outputs"]["drift"] == []


def test_a_superuser_lacks_nothing(lacking: StepRuns) -> None:
    with (
        contextlib.closing(lacking.server.connect(lacking.database)) as connection,
        connection.cursor() as cursor,
    ):
        assert missing_in_production(cursor) == []
        assert missing_on_copy(cursor, ["App Owner"], ["pageinspect"]) == []


def test_nobody_is_made_a_member_of_a_superuser(lacking: StepRuns) -> None:
    lacking.execute(
        "CREATE TABLE of_superuser (id int)",
        'GRANT "App Owner", reports TO deployer',
        "ALTER ROLE deployer CREATEDB BYPASSRLS",
        f"GRANT CREATE ON DATABASE {lacking.database} TO deployer",
    )
    lacking.user = "deployer"
    missing = lacking.another().step("preflight")["details"]["missing"]
    assert missing[0].endswith('GRANT SELECT ON "public"."of_superuser" TO "deployer"')
    assert "ALTER TABLE ... OWNER TO ..." in missing[1]
    assert f'GRANT "{lacking.server.user}"' not in " ".join(missing)


def test_an_extension_that_only_a_superuser_may_make(lacking: StepRuns) -> None:
    lacking.execute(
        'GRANT "App Owner", reports TO deployer',
        "ALTER ROLE deployer CREATEDB BYPASSRLS",
        f"GRANT CREATE ON DATABASE {lacking.database} TO deployer",
        "CREATE EXTENSION pageinspect",
    )
    lacking.user = "deployer"
    (missing,) = lacking.another().step("preflight")["details"]["missing"]
    assert missing.startswith("Extension pageinspect is not trusted")
    # A rollback makes no copy.
    assert "pageinspect" not in lacking.another("emergency_rollback").step("preflight").get("msg", "")


def test_a_role_that_may_make_nothing_temporary_is_told_so(lacking: StepRuns) -> None:
    lacking.execute(
        f"REVOKE TEMPORARY ON DATABASE {lacking.database} FROM PUBLIC",
        'GRANT "App Owner", reports TO deployer',
        f"GRANT CREATE ON DATABASE {lacking.database} TO deployer",
        "ALTER ROLE deployer BYPASSRLS CREATEDB",
        "ALTER TABLE notes ADD CHECK (length(body) > 0 OR body::varchar(3) IN ('a', 'b'))",
    )
    lacking.user = "deployer"
    (sentence,) = lacking.another().step("preflight")["details"]["missing"]
    assert sentence.endswith(f'types: GRANT TEMPORARY ON DATABASE "{lacking.database}" TO "deployer"')
    lacking.execute(sentence.split(" types: ")[1])
    lacking.up_to("apply")
