# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A rollback that drops an object and makes it again gives it what people have granted and revoked since the deploy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.production.applied import VERSIONS
from tests.integration.production.test_rollbacks import deployed, rollback
from tests.integration.step_runs import StepRuns

#: By kind: what stands before the migration, the migration and its rollback, and what somebody types afterwards.
CASES: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "view": (
        "CREATE VIEW seen AS SELECT id FROM notes",
        "DROP VIEW seen; CREATE VIEW seen AS SELECT id, 1 AS one FROM notes;",
        "DROP VIEW seen; CREATE VIEW seen AS SELECT id FROM notes;",
        ("GRANT SELECT ON seen TO reader WITH GRANT OPTION",),
    ),
    "column of a view": (
        "CREATE VIEW seen AS SELECT id FROM notes",
        "DROP VIEW seen; CREATE VIEW seen AS SELECT id, 1 AS one FROM notes;",
        "DROP VIEW seen; CREATE VIEW seen AS SELECT id FROM notes;",
        ("GRANT SELECT (id) ON seen TO reader", "GRANT INSERT ON seen TO PUBLIC"),
    ),
    "materialized view": (
        "CREATE MATERIALIZED VIEW seen AS SELECT id FROM notes",
        "DROP MATERIALIZED VIEW seen; CREATE MATERIALIZED VIEW seen AS SELECT id, 1 AS one FROM notes;",
        "DROP MATERIALIZED VIEW seen; CREATE MATERIALIZED VIEW seen AS SELECT id FROM notes;",
        ("GRANT SELECT ON seen TO reader",),
    ),
    "table": (
        "CREATE TABLE star (id int)",
        "DROP TABLE star; CREATE TABLE star (id int, mark text);",
        "DROP TABLE star; CREATE TABLE star (id int);",
        ("GRANT SELECT, INSERT ON star TO reader", "GRANT UPDATE (id) ON star TO reader"),
    ),
    "function": (
        "CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql RETURN 2 * $1",
        "DROP FUNCTION twice(int); CREATE FUNCTION twice(int) RETURNS bigint LANGUAGE sql RETURN 2 * $1;",
        "DROP FUNCTION twice(int); CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql RETURN 2 * $1;",
        ("REVOKE EXECUTE ON FUNCTION twice FROM PUBLIC", "GRANT EXECUTE ON FUNCTION twice TO reader"),
    ),
    "sequence": (
        "CREATE SEQUENCE ticket",
        "DROP SEQUENCE ticket; CREATE SEQUENCE ticket INCREMENT 2;",
        "DROP SEQUENCE ticket; CREATE SEQUENCE ticket;",
        ("GRANT USAGE ON SEQUENCE ticket TO reader",),
    ),
    "type": (
        "CREATE TYPE pair AS (a int)",
        "DROP TYPE pair; CREATE TYPE pair AS (a int, b int);",
        "DROP TYPE pair; CREATE TYPE pair AS (a int);",
        ("REVOKE USAGE ON TYPE pair FROM PUBLIC", "GRANT USAGE ON TYPE pair TO reader"),
    ),
    "schema": (
        "CREATE SCHEMA shelf",
        "DROP SCHEMA shelf; CREATE SCHEMA shelf; COMMENT ON SCHEMA shelf IS 'new';",
        "DROP SCHEMA shelf; CREATE SCHEMA shelf;",
        ("GRANT USAGE ON SCHEMA shelf TO reader",),
    ),
    "nothing but its OID": (
        "CREATE VIEW seen AS SELECT id FROM notes",
        "ALTER TABLE notes ADD COLUMN author text;",
        "DROP VIEW seen; ALTER TABLE notes DROP COLUMN author; CREATE VIEW seen AS SELECT id FROM notes;",
        ("GRANT SELECT ON seen TO reader",),
    ),
    "revoked from whom it was granted before": (
        "CREATE VIEW seen AS SELECT id FROM notes; GRANT SELECT, UPDATE ON seen TO reader",
        "DROP VIEW seen; CREATE VIEW seen AS SELECT id, 1 AS one FROM notes; GRANT SELECT, UPDATE ON seen TO reader;",
        "DROP VIEW seen; CREATE VIEW seen AS SELECT id FROM notes; GRANT SELECT, UPDATE ON seen TO reader;",
        ("REVOKE UPDATE ON seen FROM reader",),
    ),
    "granted more to whom the migration grants": (
        "CREATE VIEW seen AS SELECT id FROM notes",
        "DROP VIEW seen; CREATE VIEW seen AS SELECT id, 1 AS one FROM notes; GRANT SELECT ON seen TO reader;",
        "DROP VIEW seen; CREATE VIEW seen AS SELECT id FROM notes;",
        ("GRANT UPDATE ON seen TO reader",),
    ),
}


@pytest.fixture
def reader(runs: StepRuns) -> Iterator[None]:
    runs.execute("CREATE ROLE reader")
    yield
    runs.execute("DROP OWNED BY reader CASCADE", "DROP ROLE reader")


@pytest.fixture
def owned(runs: StepRuns) -> Iterator[StepRuns]:
    """The database of an owner without other rights, who connects."""
    runs.execute(
        "CREATE ROLE owning LOGIN CREATEDB",
        f"ALTER DATABASE {runs.database} OWNER TO owning",
        "ALTER TABLE notes OWNER TO owning",
        "ALTER TABLE schema_migrations OWNER TO owning",
    )
    runs.user = "owning"
    yield runs
    runs.execute("REASSIGN OWNED BY owning TO CURRENT_USER", "DROP OWNED BY owning", "DROP ROLE owning")


def typed(runs: StepRuns, *statements: str) -> None:
    """What somebody types as the one who owns what the runbook makes."""
    runs.execute(*(f"SET ROLE {runs.user or 'none'}; {statement}" for statement in statements))


PRIVILEGES = """
    SELECT 'relation ' || relname, acl::text FROM pg_class, unnest(relacl) AS acl
        WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT 'column ' || attname, acl::text FROM pg_attribute, unnest(attacl) AS acl
        WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
    UNION ALL SELECT 'function ' || proname, acl::text FROM pg_proc, unnest(proacl) AS acl
        WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT 'type ' || typname, acl::text FROM pg_type, unnest(typacl) AS acl
        WHERE typnamespace = 'public'::regnamespace
    UNION ALL SELECT 'schema ' || nspname, acl::text FROM pg_namespace, unnest(nspacl) AS acl WHERE nspname = 'shelf'
    ORDER BY 1, 2"""


def taken_back(runs: StepRuns) -> dict[str, Any]:
    one = rollback(runs, "002")
    answer = one.step("emergency_rollback")
    assert not answer.get("failed"), answer["msg"]
    assert runs.ask(VERSIONS) == [("001",)]
    (outputs,) = answer["outputs"]["migrations"]
    assert outputs["schema_restored"] is True
    one.steps("smoke_test")
    one.conclude("rolled_back")
    return outputs


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("case", CASES)
def test_what_was_granted_and_revoked_stands_after_the_rollback(runs: StepRuns, case: str) -> None:
    before, apply, back, later = CASES[case]
    runs.execute(before)
    runs.write(migrations__002_author=apply, rollback__002_author_rollback=back)
    deployed(runs, "002")
    typed(runs, *later)
    wanted = [
        one for one in runs.ask(PRIVILEGES) if one[1].startswith(("reader", "=")) and "one" not in one[0]
    ]
    if case.startswith("granted more"):
        wanted = [(name, acl.replace("rw", "w")) for name, acl in wanted]
    assert taken_back(runs)["salvage"] == []
    assert [one for one in runs.ask(PRIVILEGES) if one[1].startswith(("reader", "="))] == wanted


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("case", ["view", "function", "table", "revoked from whom it was granted before"])
def test_by_an_owner_who_is_no_superuser(owned: StepRuns, case: str) -> None:
    before, apply, back, later = CASES[case]
    typed(owned, before)
    owned.write(migrations__002_author=apply, rollback__002_author_rollback=back)
    deployed(owned, "002")
    typed(owned, *later)
    wanted = owned.ask(PRIVILEGES)
    taken_back(owned)
    assert owned.ask(PRIVILEGES) == wanted


VIEW_AGAIN = {
    "migrations__002_author": "DROP VIEW seen; CREATE VIEW seen AS SELECT id, 1 AS one FROM notes;",
    "rollback__002_author_rollback": "DROP VIEW seen; CREATE VIEW seen AS SELECT id FROM notes;"
    " GRANT SELECT ON seen TO reader;",
}


@pytest.mark.usefixtures("reader")
def test_what_the_migration_had_taken_and_somebody_granted_again_is_no_conflict(runs: StepRuns) -> None:
    runs.execute("CREATE VIEW seen AS SELECT id FROM notes", "GRANT SELECT ON seen TO reader")
    runs.write(**VIEW_AGAIN)
    deployed(runs, "002")
    assert runs.ask("SELECT has_table_privilege('reader', 'seen', 'SELECT')") == [(False,)]
    runs.execute("GRANT SELECT ON seen TO reader")
    taken_back(runs)
    assert runs.ask("SELECT has_table_privilege('reader', 'seen', 'SELECT')") == [(True,)]


@pytest.mark.usefixtures("reader")
def test_what_the_migration_granted_and_somebody_revoked_is_kept_for_the_next_deploy(runs: StepRuns) -> None:
    """On the old schema nobody has it, so that nothing there could remember that it was taken."""
    runs.write(
        migrations__002_author="GRANT SELECT, INSERT ON notes TO reader;",
        rollback__002_author_rollback="REVOKE SELECT, INSERT ON notes FROM reader;",
    )
    deployed(runs, "002")
    runs.execute("REVOKE INSERT ON notes FROM reader")
    (kept,) = taken_back(runs)["salvage"]
    assert (kept["table"], kept["kind"], kept["rows"]) == ("table public.notes", "privileges", 1)
    deployed(runs, "002")
    asked = "SELECT has_table_privilege('reader', 'notes', 'SELECT'), has_table_privilege('reader', 'notes', 'INSERT')"
    assert runs.ask(asked) == [(True, False)]


@pytest.mark.usefixtures("reader")
def test_what_somebody_else_granted_is_granted_in_his_name(runs: StepRuns) -> None:
    before, apply, back, _ = CASES["view"]
    runs.execute(before)
    runs.write(migrations__002_author=apply, rollback__002_author_rollback=back)
    deployed(runs, "002")
    runs.execute(
        "GRANT USAGE ON SCHEMA public TO reader",
        "GRANT SELECT ON seen TO reader WITH GRANT OPTION",
        "SET ROLE reader; GRANT SELECT ON seen TO PUBLIC",
    )
    wanted = runs.ask(PRIVILEGES)
    taken_back(runs)
    assert runs.ask(PRIVILEGES) == wanted


@pytest.mark.usefixtures("reader")
def test_an_owner_who_cannot_act_for_another_grants_it_himself(owned: StepRuns) -> None:
    before, apply, back, _ = CASES["view"]
    typed(owned, before)
    owned.write(migrations__002_author=apply, rollback__002_author_rollback=back)
    deployed(owned, "002")
    typed(owned, "GRANT SELECT ON seen TO reader WITH GRANT OPTION")
    owned.execute("SET ROLE reader; GRANT SELECT ON seen TO PUBLIC")
    taken_back(owned)
    assert ("relation seen", "=r/owning") in owned.ask(PRIVILEGES)


@pytest.mark.usefixtures("reader")
def test_default_privileges_that_came_since_do_not_reach_what_was_there_before(runs: StepRuns) -> None:
    before, apply, back, _ = CASES["view"]
    runs.execute(before)
    runs.write(migrations__002_author=apply, rollback__002_author_rollback=back)
    deployed(runs, "002")
    runs.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO reader")
    taken_back(runs)
    assert runs.ask("SELECT has_table_privilege('reader', 'seen', 'SELECT')") == [(False,)]


@pytest.mark.usefixtures("reader")
def test_a_rollback_that_forgets_what_was_granted_before_is_undone_as_ever(runs: StepRuns) -> None:
    """Nobody has granted it since; the script is wrong."""
    before, apply, back, _ = CASES["view"]
    runs.execute(before, "GRANT SELECT ON seen TO reader")
    runs.write(
        migrations__002_author=f"{apply} GRANT SELECT ON seen TO reader;",
        rollback__002_author_rollback=f"{back} GRANT SELECT ON seen TO reader;",
    )
    deployed(runs, "002")
    runs.write(rollback__002_author_rollback=back)
    runs.execute("GRANT UPDATE ON seen TO reader")
    run = runs.another("emergency_rollback")
    run.must("preflight", accept_edited_scripts=True)
    run.must("backup", purpose="emergency")
    answer = run.step("emergency_rollback")
    assert answer["outcome"] == "unchanged"
    assert "view public.seen: privileges lacks reader=rw/" in answer["msg"]


@pytest.mark.usefixtures("reader")
def test_where_statements_commit_one_by_one(runs: StepRuns) -> None:
    runs.execute(CASES["view"][0])
    runs.write(
        migrations__002_author="-- Transaction: none\nDROP VIEW seen;"
        " CREATE VIEW seen AS SELECT id, 1 AS one FROM notes; CREATE INDEX CONCURRENTLY bodies ON notes (body);",
        rollback__002_author_rollback="-- Transaction: none\nDROP INDEX CONCURRENTLY bodies; DROP VIEW seen;"
        " CREATE VIEW seen AS SELECT id FROM notes;",
    )
    deployed(runs, "002")
    runs.execute("GRANT SELECT ON seen TO reader")
    assert taken_back(runs)["privileges_again"] == ["view public.seen"]
    assert runs.ask("SELECT has_table_privilege('reader', 'seen', 'SELECT')") == [(True,)]


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("together", [False, True], ids=["one by one", "together"])
def test_what_comes_back_with_one_migration_is_no_difference_of_the_next(
    runs: StepRuns, together: bool
) -> None:
    """The rehearsal's first apply is without it."""
    runs.write(
        migrations__002_author="CREATE TABLE star (id int);",
        rollback__002_author_rollback="DROP TABLE star;",
        migrations__003_tag="CREATE TABLE tag (id int); ALTER TABLE star ADD COLUMN mark text;",
        rollback__003_tag_rollback="ALTER TABLE star DROP COLUMN mark; DROP TABLE tag;",
    )
    deployed(runs, "002")
    runs.execute("GRANT SELECT ON star TO reader")
    (kept,) = taken_back(runs)["salvage"]
    assert kept["kind"] == "privileges"
    again = runs.another(wanted="pending")
    again.must("preflight", together=together)
    again.steps("maintenance_window", "backup", "verify_restore", "rehearse", "apply", "verify", "smoke_test")
    again.conclude()
    assert runs.ask("SELECT has_table_privilege('reader', 'star', 'SELECT')") == [(True,)]
