# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A migration that is applied once more in its rollback's transaction begins as in a transaction of its own."""

from __future__ import annotations

import dataclasses
from typing import Any

from ansible_collections.pgops.runbook.plugins.module_utils.execution.again import apply_again
from ansible_collections.pgops.runbook.plugins.module_utils.execution.hooks import Work
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.constraints import fire_deferred
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.script import parse_script

from tests.integration.step_runs import migration

BALANCED = """CREATE FUNCTION balanced() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF (SELECT sum(amount) FROM entry) <> 0 THEN RAISE 'not balanced'; END IF; RETURN NULL; END $$"""
TRIGGER = """CREATE CONSTRAINT TRIGGER balanced AFTER INSERT ON entry DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION balanced()"""


def rolled_back(apply: str) -> Work:
    parsed = parse_script(apply, "migrations/002.sql")
    made = migration("002", [], ["SELECT 1"])
    made["apply"]["statements"] = [dataclasses.asdict(one) for one in parsed.statements]
    return Work(made, "rollback")


def test_what_waits_for_commit_waits_again(connection: Any) -> None:
    inserts = "INSERT INTO entry VALUES (7); INSERT INTO entry VALUES (-7)"
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE entry (amount int)")
        # As the rollback's script has ended.
        fire_deferred(cursor)
        apply_again(cursor, rolled_back(f"{BALANCED}; {TRIGGER}; {inserts}"))
        cursor.execute("SELECT sum(amount), count(*) FROM entry")
        assert cursor.fetchone() == (0, 2)


def test_a_label_that_the_rollback_has_left_is_no_error(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TYPE mood AS ENUM ('calm', 'sad')")
        apply_again(cursor, rolled_back("ALTER TYPE mood ADD VALUE 'calm' BEFORE 'sad'"))
        cursor.execute("SELECT enum_range(NULL::mood)::text")
        assert cursor.fetchone() == ("{calm,sad}",)
