# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Adopting a database: what is in place and was never recorded is recorded, beside no run."""

from __future__ import annotations

from tests.integration.step_runs import StepRuns

VERSIONS = "SELECT version FROM schema_migrations ORDER BY 1"


def test_what_is_in_place_is_recorded_and_can_be_deployed_upon(runs: StepRuns) -> None:
    runs.execute("ALTER TABLE notes ADD COLUMN author text")
    status = runs.another("status", "pending")
    assert not status.must("status")["changed"]
    assert runs.ask(VERSIONS) == [("001",)]
    status.must("status", adopt=True)
    assert runs.ask(VERSIONS) == [("001",), ("002",)]
    assert runs.ask("SELECT migration, status FROM runbook.receipt WHERE step = 'adopt'") == [("002", "ok")]
    assert "already applied" in runs.another().step("preflight")["msg"]


def test_what_cannot_be_tried_is_named_and_keeps_nothing_else_from_being_adopted(runs: StepRuns) -> None:
    runs.write(
        migrations__003_broken="CREATE TABLE broken AS SELECT 1 / 0 AS a;",
        rollback__003_broken_rollback="DROP TABLE broken;",
        migrations__004_by_author="CREATE INDEX CONCURRENTLY by_author ON notes (author);",
        rollback__004_by_author_rollback="DROP INDEX by_author;",
        migrations__005_later="COMMENT ON TABLE broken IS 'x';",
        rollback__005_later_rollback="COMMENT ON TABLE broken IS NULL;",
    )
    runs.execute("ALTER TABLE notes ADD COLUMN author text", "CREATE INDEX by_author ON notes (author)")
    found = runs.another("status", "pending").must("status", adopt=True)["outputs"]["adoption"]
    assert {version: facts["state"] for version, facts in found.items()} == {
        "002": "in place",
        "003": "undecided",
        "004": "in place",
        "005": "undecided",
    }
    assert "division by zero" in found["003"]["reason"]
    assert runs.ask(VERSIONS) == [("001",), ("002",), ("004",)]


def test_a_migration_that_is_half_done_is_not_taken_for_one_that_is_in_place(runs: StepRuns) -> None:
    runs.write(
        migrations__002_author="-- Transaction: none\nALTER TABLE notes ADD COLUMN author int;\n"
        "UPDATE notes SET author = 1 / id WHERE author IS NULL;"
    )
    runs.up_to("rehearse")
    runs.execute("INSERT INTO notes (id, body) VALUES (0, 'of a user')")
    assert runs.step("apply")["failed"]
    runs.conclude("failed")
    refused = runs.another("status", "pending").step("status", adopt=True)
    assert refused["reason_code"] == "migration_half_done", refused
    assert runs.ask(VERSIONS) == [("001",)]


def test_nothing_is_adopted_beside_a_run(runs: StepRuns) -> None:
    runs.steps("preflight")
    runs.execute("ALTER TABLE notes ADD COLUMN author text")
    answer = runs.another("status", "pending").step("status", adopt=True)
    assert answer.get("failed"), answer
    assert (
        f"Run {runs.run_id} is in progress in this database. Nothing was recorded. Adopt when it has ended."
        in answer["msg"]
    )
    assert runs.ask(VERSIONS) == [("001",)]


def test_what_cannot_be_decided_is_listed_and_holds_up_nothing_else(runs: StepRuns) -> None:
    """A script that fails, one that does not parse, one in another encoding; a rollback and a name that are bad."""
    runs.write(
        migrations__003_fails="CREATE TABLE d (i int REFERENCES nowhere);",
        rollback__003_fails_rollback="DROP TABLE d;",
        migrations__004_syntax="CREATE TABLEX e (i int);",
        rollback__004_syntax_rollback="DROP TABLE e;",
        migrations__005_kept="CREATE TABLE kept (i int);",
        rollback__005_kept_rollback="DROP TABEL kept;",
        migrations__006_latin="",
        migrations__007_role="CREATE ROLE nobody_makes_this_one;",
        rollback__007_role_rollback="DROP ROLE nobody_makes_this_one;",
        migrations__008_absent="CREATE TABLE not_there (i int);",
        rollback__008_absent_rollback="DROP TABLE not_there;",
    )
    (runs.sql_dir / "migrations" / "006_latin.sql").write_bytes("SELECT 'ä';".encode("latin-1"))
    (runs.sql_dir / "migrations" / "not a name.sql").write_text("SELECT 1;")
    runs.execute("CREATE TABLE kept (i int)", "CREATE TABLE d (i int)")
    status = runs.another("status", "all")
    answer = status.must("status", adopt=True)
    found = answer["outputs"]["adoption"]
    assert answer["changed"]
    assert {version: one["state"] for version, one in found.items()} == {
        "002": "absent",
        "003": "undecided",
        "004": "undecided",
        "005": "in place",
        "006": "undecided",
        "007": "undecided",
        "008": "absent",
    }
    for version, words in (
        ("003", 'relation "nowhere" does not exist'),
        ("004", 'syntax error at or near "TABLEX"'),
        ("006", "UTF-8"),
        ("007", "CREATE ROLE nobody_makes_this_one changes what all databases of the server share"),
    ):
        assert words in found[version]["reason"]
    assert runs.ask(VERSIONS) == [("001",), ("005",)]
    assert runs.ask("SELECT migration FROM runbook.receipt WHERE step = 'adopt'") == [("005",)]
    assert runs.ask("SELECT FROM pg_roles WHERE rolname = 'nobody_makes_this_one'") == []
    again = runs.another("status", "all").must("status", adopt=True)
    assert not again["changed"]
    assert "005" not in again["outputs"]["adoption"]
