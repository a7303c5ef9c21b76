# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whole runs in a database whose definitions have other texts after a restore: nothing is refused for them alone."""

from __future__ import annotations

import pytest

from tests.integration.production.test_rollbacks import deployed, rollback
from tests.integration.restore_runs import Restore, drop_what_restores_left
from tests.integration.step_runs import StepRuns

SCHEMA = (
    "CREATE TABLE ticket (id int PRIMARY KEY, state varchar(9) CONSTRAINT known CHECK (state IN ('open', 'closed')))",
    "CREATE INDEX ticket_open ON ticket (id) WHERE state IN ('open', 'new')",
    "CREATE VIEW open_ticket AS SELECT id, state FROM ticket WHERE state IN ('open', 'new')",
    "CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "CREATE TRIGGER acting BEFORE UPDATE ON ticket FOR EACH ROW WHEN (NEW.state IN ('a', 'b')) EXECUTE FUNCTION act()",
    "CREATE POLICY seen ON ticket USING (state IN ('open', 'closed'))",
    "CREATE RULE kept AS ON DELETE TO ticket WHERE OLD.state IN ('open', 'new') DO INSTEAD NOTHING",
    "CREATE TABLE base (id int); CREATE TABLE heir (own text) INHERITS (base)",
    "ALTER TABLE base ADD late varchar(3) DEFAULT 'x' CHECK (late IN ('x', 'y'))",
    "CREATE TABLE root (id int PRIMARY KEY) PARTITION BY LIST (id)",
    "CREATE TABLE leaf PARTITION OF root FOR VALUES IN (1)",
    "INSERT INTO ticket VALUES (1, 'open'); INSERT INTO heir VALUES (1, 'o')",
)
# As PostgreSQL writes it once it has read its own text, and as a person copies it out of a dump.
DUMPED = (
    "CONSTRAINT known CHECK (((state)::text = ANY (ARRAY[('open'::character varying)::text,"
    " ('closed'::character varying)::text])))"
)
CHECK = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'known'"


@pytest.fixture
def listing(runs: StepRuns) -> StepRuns:
    runs.execute(*SCHEMA)
    return runs


def test_texts_that_change_on_both_sides_are_the_same_change(listing: StepRuns) -> None:
    """Renaming a column writes each text anew, in production from people's and on the copy from the restored one."""
    listing.write(
        migrations__002_author="ALTER TABLE ticket RENAME state TO status; ALTER TABLE base ADD later int;",
        rollback__002_author_rollback="ALTER TABLE base DROP later; ALTER TABLE ticket RENAME status TO state;",
    )
    (before,) = listing.ask(CHECK)
    deployed(listing, "002")
    answer = rollback(listing, "002").step("emergency_rollback")
    assert not answer.get("failed"), answer
    assert answer["outputs"]["migrations"][0]["schema_restored"] is True
    assert listing.ask(CHECK) == [before]


def test_a_rollback_may_make_a_definition_with_the_text_of_a_dump(listing: StepRuns) -> None:
    listing.write(
        migrations__002_author="ALTER TABLE ticket DROP CONSTRAINT known;",
        rollback__002_author_rollback=f"ALTER TABLE ticket ADD {DUMPED};",
    )
    (before,) = listing.ask(CHECK)
    deployed(listing, "002")
    answer = rollback(listing, "002").step("emergency_rollback")
    assert not answer.get("failed"), answer
    assert answer["outputs"]["migrations"][0]["schema_restored"] is True
    assert listing.ask(CHECK) != [before]


def test_a_rollback_that_makes_another_definition_is_refused_on_the_copy(listing: StepRuns) -> None:
    listing.write(
        migrations__002_author="ALTER TABLE ticket DROP CONSTRAINT known;",
        rollback__002_author_rollback=f"ALTER TABLE ticket ADD {DUMPED.replace('closed', 'Closed')};",
    )
    listing.up_to("verify_restore")
    answer = listing.step("rehearse")
    assert answer["reason_code"] == "rehearsal_rollback_schema_differs"
    assert "constraint public.ticket.known: definition" in answer["msg"]


def test_a_rollback_that_makes_another_definition_in_production_is_undone(listing: StepRuns) -> None:
    other = f"ALTER TABLE ticket ADD {DUMPED.replace('closed', 'Closed')}"
    listing.write(
        migrations__002_author="ALTER TABLE ticket DROP CONSTRAINT known;",
        rollback__002_author_rollback=(
            f"DO $do$ BEGIN IF current_database() LIKE 'runbook%' THEN ALTER TABLE ticket ADD {DUMPED};"
            f" ELSE {other}; END IF; END $do$;"
        ),
    )
    deployed(listing, "002")
    answer = rollback(listing, "002").step("emergency_rollback")
    assert answer["reason_code"] == "rollback_schema_differs"
    assert "constraint public.ticket.known: definition" in answer["msg"]
    assert listing.ask(CHECK) == []


def test_what_people_changed_after_the_rehearsal_is_refused(listing: StepRuns) -> None:
    listing.up_to("rehearse")
    listing.execute(
        "ALTER TABLE ticket DROP CONSTRAINT known, ADD CONSTRAINT known CHECK (state IN ('open', 'Closed')) NOT VALID"
    )
    answer = listing.step("apply")
    assert answer["reason_code"] == "production_schema_differs_from_rehearsal"
    assert "constraint public.ticket.known: definition" in answer["msg"]


def test_another_definition_in_production_than_on_the_copy_is_rolled_back(listing: StepRuns) -> None:
    made = "ALTER TABLE ticket ADD CHECK (state IN ('open', '{}'))"
    listing.write(
        migrations__002_author=(
            f"DO $do$ BEGIN IF current_database() LIKE 'runbook%' THEN {made.format('a')};"
            f" ELSE {made.format('b')}; END IF; END $do$;"
        ),
        rollback__002_author_rollback="ALTER TABLE ticket DROP CONSTRAINT ticket_state_check;",
    )
    listing.execute("UPDATE ticket SET state = 'open'")
    listing.up_to("rehearse")
    answer = listing.step("apply")
    assert answer["reason_code"] == "production_schema_differs_from_rehearsal"
    assert "made another schema in production than on the copy" in answer["msg"]


def test_the_same_definition_made_anew_is_no_drift(listing: StepRuns) -> None:
    """As in a database that was moved to another server by dump and restore."""
    deployed(listing, "002")
    listing.execute(f"ALTER TABLE ticket DROP CONSTRAINT known, ADD {DUMPED}")
    listing.write(
        migrations__003_more="CREATE TABLE more ();", rollback__003_more_rollback="DROP TABLE more;"
    )
    listing.another(wanted="003").steps("preflight")


def test_another_definition_made_anew_is_drift(listing: StepRuns) -> None:
    deployed(listing, "002")
    listing.execute(f"ALTER TABLE ticket DROP CONSTRAINT known, ADD {DUMPED.replace('closed', 'Closed')}")
    listing.write(
        migrations__003_more="CREATE TABLE more ();", rollback__003_more_rollback="DROP TABLE more;"
    )
    answer = listing.another(wanted="003").step("preflight")
    assert answer["reason_code"] == "schema_drifted"
    assert "constraint public.ticket.known: definition" in answer["msg"]


def test_what_was_deployed_before_a_restore_can_be_rolled_back_after_it(
    listing: StepRuns, admin: StepRuns
) -> None:
    listing.write(
        migrations__002_author="CREATE TABLE made (s varchar(3) CHECK (s IN ('a', 'b')));",
        rollback__002_author_rollback="DROP TABLE made;",
        migrations__003_more="CREATE TABLE more ();",
        rollback__003_more_rollback="DROP TABLE more;",
    )
    deployed(listing, "002")
    later = listing.another(wanted="003")
    later.up_to("verify_restore")
    later.conclude("failed")
    restore = Restore(later)
    try:
        restore.steps("preflight", "restore", "count_rows", "swap", "smoke_test")
        restore.run.conclude("restored")
        answer = rollback(listing, "002").step("emergency_rollback")
        assert not answer.get("failed"), answer
        assert answer["outputs"]["migrations"][0]["schema_restored"] is True
        assert listing.ask("SELECT to_regclass('made')") == [(None,)]
    finally:
        drop_what_restores_left(admin, listing.database)


def test_what_was_moved_by_a_dump_is_in_place(runs: StepRuns) -> None:
    runs.write(migrations__002_author="ALTER TABLE notes ADD author varchar(3) CHECK (author IN ('a', 'b'));")
    dumped = "CHECK (((author)::text = ANY (ARRAY[('a'::character varying)::text, ('{}'::character varying)::text])))"
    runs.execute(f"ALTER TABLE notes ADD author varchar(3) {dumped.format('b')}")
    found = runs.another("status", "pending").must("status")
    assert runs.another("status", "pending").must("status", adopt=True)["changed"], found
    assert runs.ask("SELECT version FROM schema_migrations ORDER BY 1") == [("001",), ("002",)]


def test_another_check_is_not_in_place(runs: StepRuns) -> None:
    runs.write(migrations__002_author="ALTER TABLE notes ADD author varchar(3) CHECK (author IN ('a', 'b'));")
    runs.execute("ALTER TABLE notes ADD author varchar(3) CHECK (author IN ('a', 'c'))")
    runs.another("status", "pending").step("status", adopt=True)
    assert runs.ask("SELECT version FROM schema_migrations ORDER BY 1") == [("001",)]
