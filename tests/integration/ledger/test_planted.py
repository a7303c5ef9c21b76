# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What somebody has hung on the table of versions is not called by a superuser's runbook, but named and refused."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.planted import refuse_planted_in_ledger
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.versions import VersionTable
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.code_of_others import (
    superuser_of_session,
)
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import connect
from psycopg2.errors import LockNotAvailable

from tests.integration.step_runs import StepRuns, target

# Each of them makes the role a superuser where another one calls it.
BODY = (
    "LANGUAGE plpgsql AS $$ BEGIN IF current_user <> 'mallory' THEN EXECUTE 'ALTER ROLE mallory SUPERUSER'; END IF;"
    " RETURN"
)
FUNCTION = f"CREATE FUNCTION public.pwn(text) RETURNS text {BODY} $1; END $$"
TRIGGER = f"CREATE FUNCTION public.pwn() RETURNS trigger {BODY} coalesce(NEW, OLD); END $$"
IMMUTABLE = (
    f"{FUNCTION}; CREATE FUNCTION public.same(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS"
    " $$ BEGIN PERFORM public.pwn($1); RETURN $1; END $$"
)
BY_TEXT = "pg_catalog.ts_rewrite('a', 'SELECT ''a''::tsquery, public.pwn(''x'')::tsquery')::text"
MADE = "CREATE TABLE public.schema_migrations (version text PRIMARY KEY, description text)"

PLANTED = {
    "a trigger": (
        (
            TRIGGER,
            MADE,
            "CREATE TRIGGER t AFTER INSERT ON public.schema_migrations FOR EACH ROW EXECUTE FUNCTION pwn()",
        ),
        "trigger t of public.schema_migrations calls public.pwn(), which mallory owns",
        'DROP TRIGGER "t" ON "public"."schema_migrations"',
    ),
    "a trigger that is always called": (
        (
            TRIGGER,
            MADE,
            "CREATE TRIGGER t BEFORE INSERT ON public.schema_migrations EXECUTE FUNCTION public.pwn()",
            "ALTER TABLE public.schema_migrations ENABLE ALWAYS TRIGGER t",
        ),
        "trigger t of public.schema_migrations",
        "DROP TRIGGER",
    ),
    "the condition of a trigger": (
        (
            FUNCTION,
            MADE,
            "CREATE TRIGGER t BEFORE UPDATE ON public.schema_migrations FOR EACH ROW"
            f" WHEN ({BY_TEXT} <> '') EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger()",
        ),
        "trigger t of public.schema_migrations calls ts_rewrite(tsquery,text)",
        "DROP TRIGGER",
    ),
    "a rule": (
        (
            FUNCTION,
            MADE,
            "CREATE RULE r AS ON INSERT TO public.schema_migrations DO ALSO SELECT public.pwn('x')",
        ),
        "rule r of public.schema_migrations, which mallory owns",
        'DROP RULE "r" ON "public"."schema_migrations"',
    ),
    "a default": (
        (FUNCTION, MADE, "ALTER TABLE public.schema_migrations ADD COLUMN who text DEFAULT public.pwn('x')"),
        "default who of public.schema_migrations calls public.pwn(text), which mallory owns",
        'ALTER COLUMN "who" DROP DEFAULT',
    ),
    "a default that has PostgreSQL call it": (
        (FUNCTION, MADE, f"ALTER TABLE public.schema_migrations ADD COLUMN who text DEFAULT {BY_TEXT}"),
        "default who of public.schema_migrations calls ts_rewrite(tsquery,text), which mallory put there",
        'ALTER COLUMN "who" DROP DEFAULT',
    ),
    "a generated column": (
        (
            IMMUTABLE,
            "CREATE TABLE public.schema_migrations (version text PRIMARY KEY,"
            " g text GENERATED ALWAYS AS (public.same(version)) STORED)",
        ),
        "generated column g of public.schema_migrations calls public.same(text)",
        'ALTER COLUMN "g" DROP EXPRESSION',
    ),
    "a check": (
        (
            FUNCTION,
            MADE,
            "ALTER TABLE public.schema_migrations ADD CONSTRAINT c CHECK (public.pwn(version) <> '')",
        ),
        "check c of public.schema_migrations calls public.pwn(text)",
        'DROP CONSTRAINT "c"',
    ),
    "an operator in a check": (
        (
            FUNCTION,
            "CREATE FUNCTION public.eq(text, text) RETURNS bool LANGUAGE sql AS 'SELECT public.pwn($1) = $2'",
            "CREATE OPERATOR public.=== (LEFTARG = text, RIGHTARG = text, FUNCTION = public.eq)",
            MADE,
            "ALTER TABLE public.schema_migrations ADD CONSTRAINT c CHECK (version OPERATOR(public.===) version)",
        ),
        "check c of public.schema_migrations calls public.eq(text,text)",
        'DROP CONSTRAINT "c"',
    ),
    "a domain": (
        (
            FUNCTION,
            "CREATE DOMAIN public.words AS text",
            "CREATE TABLE public.schema_migrations (version text PRIMARY KEY, description public.words)",
            "ALTER DOMAIN public.words ADD CHECK (public.pwn(VALUE) <> '')",
        ),
        "column description of public.schema_migrations, whose type is owned by mallory",
        'ALTER COLUMN "description" TYPE text',
    ),
    "an index that is read by the planner": (
        (
            IMMUTABLE,
            MADE,
            "CREATE INDEX i ON public.schema_migrations (version) WHERE public.same('x') = 'x'",
        ),
        "index i of public.schema_migrations calls public.same(text)",
        'DROP INDEX "public"."i"',
    ),
    "statistics that are read by the planner": (
        (
            IMMUTABLE,
            "CREATE SCHEMA mine",
            MADE,
            "CREATE STATISTICS mine.\"s 1\" ON (version || public.same('x')), version FROM public.schema_migrations",
        ),
        'statistics mine."s 1" of public.schema_migrations calls public.same(text)',
        'DROP STATISTICS mine."s 1"',
    ),
    "a partition key": (
        (
            IMMUTABLE,
            "CREATE TABLE public.schema_migrations (version text) PARTITION BY LIST (public.same(version))",
            "CREATE TABLE public.p PARTITION OF public.schema_migrations DEFAULT",
        ),
        "partition key of public.schema_migrations calls public.same(text)",
        "whoever owns the table makes it anew without that, with its rows",
    ),
    "a trigger of a child": (
        (
            TRIGGER,
            MADE,
            "CREATE TABLE public.child () INHERITS (public.schema_migrations)",
            "CREATE TRIGGER t BEFORE DELETE ON public.child FOR EACH ROW EXECUTE FUNCTION public.pwn()",
        ),
        "trigger t of public.child",
        'DROP TRIGGER "t" ON "public"."child"',
    ),
    "a trigger of a table whose rows go along": (
        (
            TRIGGER,
            MADE,
            "CREATE TABLE public.beside (v text REFERENCES public.schema_migrations ON DELETE CASCADE)",
            "CREATE TRIGGER t AFTER DELETE ON public.beside FOR EACH ROW EXECUTE FUNCTION public.pwn()",
        ),
        "trigger t of public.beside",
        'DROP TRIGGER "t" ON "public"."beside"',
    ),
}


@pytest.fixture
def mallory(runs: StepRuns) -> Iterator[StepRuns]:
    """A role that may only create in schema public, and a database in which versions are not recorded yet."""
    runs.execute(
        "DROP TABLE schema_migrations, notes",
        "CREATE ROLE mallory",
        "CREATE ROLE deployer",
        "GRANT CREATE ON SCHEMA public TO mallory",
        f'GRANT CREATE ON DATABASE "{runs.database}" TO mallory',
    )
    runs.migration = "001"
    yield runs
    runs.user = None
    runs.execute("DROP OWNED BY mallory, deployer CASCADE", "DROP ROLE mallory, deployer")


def plant(runs: StepRuns, *statements: str) -> None:
    runs.execute("SET ROLE mallory; " + "; ".join(statements))


def is_superuser(runs: StepRuns) -> bool:
    return runs.ask("SELECT rolsuper FROM pg_roles WHERE rolname = 'mallory'")[0][0]


@pytest.mark.parametrize("what", PLANTED)
def test_is_refused_by_preflight_and_never_called(mallory: StepRuns, what: str) -> None:
    statements, named, taken_away = PLANTED[what]
    plant(mallory, *statements)
    mallory.execute("ALTER ROLE mallory NOSUPERUSER")
    answer = mallory.step("preflight")
    assert (answer["reason_code"], answer["outcome"]) == ("bookkeeping_runs_code", "refused")
    assert named in answer["msg"]
    assert taken_away in answer["msg"]
    assert "bootstrap_roles.yml" in answer["msg"]
    assert not is_superuser(mallory)


@contextlib.contextmanager
def session(runs: StepRuns) -> Iterator[Any]:
    """A cursor of the runbook's own turn, in a transaction that is undone."""
    with (
        contextlib.closing(connect(target(runs.server, runs.database))) as connection,
        connection.cursor() as cursor,
    ):
        yield cursor


def test_what_was_planted_after_preflight_is_not_called_either(mallory: StepRuns) -> None:
    mallory.must("preflight")
    plant(mallory, *PLANTED["a trigger"][0])
    for write in (lambda table: table.record("001", "words"), lambda table: table.forget("001")):
        with (
            session(mallory) as cursor,
            pytest.raises(Refused, match="trigger t of public"),
        ):
            write(VersionTable(cursor))
        assert not is_superuser(mallory)


def test_nothing_can_be_planted_between_the_look_and_the_end_of_the_transaction(mallory: StepRuns) -> None:
    plant(mallory, TRIGGER, MADE, "GRANT INSERT ON schema_migrations TO PUBLIC")
    with session(mallory) as cursor:
        VersionTable(cursor).record("001", "words")
        for statement in (
            "CREATE TRIGGER t BEFORE INSERT ON schema_migrations EXECUTE FUNCTION pwn()",
            "CREATE TABLE child () INHERITS (schema_migrations)",
            "CREATE INDEX i ON schema_migrations (version)",
            "CREATE RULE r AS ON DELETE TO schema_migrations DO NOTHING",
            "CREATE TABLE beside (v text REFERENCES schema_migrations ON DELETE CASCADE)",
        ):
            with pytest.raises(LockNotAvailable):
                plant(mallory, "SET lock_timeout = '20ms'", statement)
        # The application's own writes go on.
        plant(mallory, "SET lock_timeout = '20ms'", "INSERT INTO schema_migrations VALUES ('other')")


def test_what_somebody_has_hung_on_the_ledger_is_refused(mallory: StepRuns) -> None:
    mallory.must("preflight")
    mallory.conclude("failed")
    mallory.execute("ALTER TABLE runbook.run OWNER TO mallory", "GRANT USAGE ON SCHEMA runbook TO mallory")
    plant(
        mallory,
        TRIGGER,
        "CREATE TRIGGER t BEFORE INSERT ON runbook.run FOR EACH ROW EXECUTE FUNCTION public.pwn()",
    )
    answer = mallory.another(wanted="001").step("preflight")
    assert answer["reason_code"] == "bookkeeping_runs_code"
    assert "trigger t of runbook.run calls public.pwn(), which mallory owns" in answer["msg"]
    assert not is_superuser(mallory)


@pytest.mark.parametrize(
    "hung",
    [
        "CREATE INDEX i ON schema_migrations ((length(version) || same('x')))",
        "CREATE STATISTICS s ON (version || same('x')), version FROM schema_migrations",
    ],
    ids=["an index", "statistics"],
)
def test_it_is_not_called_either_where_the_table_is_only_read(mallory: StepRuns, hung: str) -> None:
    plant(mallory, IMMUTABLE, MADE, "INSERT INTO schema_migrations VALUES ('001', '')")
    plant(mallory, hung)
    mallory.execute("ALTER ROLE mallory NOSUPERUSER")
    with (
        session(mallory) as cursor,
        pytest.raises(Refused, match="read which migrations are applied from public"),
    ):
        VersionTable(cursor).applied()
    assert not is_superuser(mallory)

    status = mallory.must("status")["outputs"]
    assert not is_superuser(mallory)
    assert "calls public.same(text), which mallory owns" in str(status["not_read"])


@pytest.mark.parametrize("release", ["a view", "a table"])
def test_a_ledger_that_somebody_has_made_before_is_not_read(mallory: StepRuns, release: str) -> None:
    plant(mallory, IMMUTABLE, "CREATE SCHEMA runbook")
    if release == "a view":
        plant(mallory, "CREATE VIEW runbook.release AS SELECT 1 AS release WHERE public.same('x') = 'x'")
    else:
        plant(
            mallory,
            "CREATE TABLE runbook.release (release int)",
            "CREATE INDEX i ON runbook.release ((release || public.same('x')))",
        )
    mallory.execute("ALTER ROLE mallory NOSUPERUSER")
    for step in ("preflight", "status"):
        answer = mallory.step(step)
        assert answer["reason_code"] == "bookkeeping_runs_code", answer
        assert "To read schemas runbook and runbook_salvage would run code of others" in answer["msg"]
        assert not is_superuser(mallory)


def test_the_application_may_own_its_table_and_a_superuser_hang_something_on_it(mallory: StepRuns) -> None:
    plant(
        mallory,
        TRIGGER,
        "CREATE TABLE schema_migrations (version text PRIMARY KEY CHECK (length(version) > 1), number serial,"
        " id uuid DEFAULT gen_random_uuid(), applied_at timestamptz DEFAULT now(), made timestamp DEFAULT"
        " clock_timestamp(), short text GENERATED ALWAYS AS (lower(left(version, 3))) STORED)",
        "CREATE INDEX i ON schema_migrations (lower(version)) WHERE version <> ''",
        "CREATE TRIGGER off BEFORE INSERT ON schema_migrations EXECUTE FUNCTION pwn()",
        "ALTER TABLE schema_migrations DISABLE TRIGGER off",
    )
    mallory.execute(
        "CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE TRIGGER t BEFORE INSERT ON schema_migrations FOR EACH ROW EXECUTE FUNCTION noted()",
    )
    with session(mallory) as cursor:
        table = VersionTable(cursor)
        table.check()
        table.record("001", "words")
        assert table.applied() == {"001"}
        table.forget("001")
        assert table.applied() == set()


def test_a_role_that_is_no_superuser_may_call_what_its_application_has_there(mallory: StepRuns) -> None:
    plant(mallory, *PLANTED["a trigger"][0], "GRANT ALL ON schema_migrations TO deployer")
    with session(mallory) as cursor:
        cursor.execute("SET SESSION AUTHORIZATION deployer")
        assert superuser_of_session(cursor) is None
        VersionTable(cursor).check()
        refuse_planted_in_ledger(cursor)
