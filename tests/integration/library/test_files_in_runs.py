# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files as a part of runs: paths are written down in the transaction that changes them, and none is left behind."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import StepFailed
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.ledger import Ledger
from ansible_collections.pgops.runbook.plugins.module_utils.library.changes import PathsBefore
from ansible_collections.pgops.runbook.plugins.module_utils.library.path_column import PathColumn

from tests.integration.step_runs import StepRuns

CHANGES = (
    "SELECT direction, file, old_path, new_path FROM runbook.path_change"
    " JOIN runbook.path_change_set USING (set_id) ORDER BY set_id, file"
)
HEADER = "-- Requires: 001\n-- Files: rename notes.body\n"


@pytest.fixture
def library(runs: StepRuns) -> StepRuns:
    """002 puts an underscore behind each path of one letter; 003 changes no path."""
    runs.library_hosts = ("media1",)
    runs.execute(
        "TRUNCATE notes RESTART IDENTITY", "INSERT INTO notes (body) VALUES ('a'), (NULL), ('b'), ('long')"
    )
    runs.write(
        migrations__002_author=f"{HEADER}UPDATE notes SET body = body || '_' WHERE length(body) = 1;",
        rollback__002_author_rollback="UPDATE notes SET body = rtrim(body, '_') WHERE length(body) = 2;",
        migrations__003_other="-- Requires: 001\nCREATE TABLE other (id int);",
        rollback__003_other_rollback="DROP TABLE other;",
    )
    return runs


def rolled_back(deployed: StepRuns) -> StepRuns:
    rollback = deployed.another("emergency_rollback")
    rollback.steps("preflight")
    answer = rollback.step("backup", purpose="emergency", pg_bindir=rollback.server.bindir)
    assert not answer.get("failed"), answer
    rollback.steps("emergency_rollback")
    return rollback


def test_changed_paths_are_written_down_and_the_rollback_s_own(library: StepRuns) -> None:
    answer = library.up_to("apply")
    assert answer["outputs"]["migrations"][0]["path_changes"] == 2
    forward = [("deploy", "1", "a", "a_"), ("deploy", "3", "b", "b_")]
    assert library.ask(CHANGES) == forward
    library.conclude()
    library.execute("UPDATE notes SET body = 'of a user' WHERE id = 3")
    rolled_back(library)
    assert library.ask(CHANGES) == [*forward, ("rollback", "1", "a_", "a")]


def test_nothing_is_written_down_without_a_library(library: StepRuns) -> None:
    library.library_hosts = ()
    answer = library.up_to("apply")
    assert "path_changes" not in answer["outputs"]["migrations"][0]
    assert library.ask("SELECT count(*) FROM runbook.path_change_set") == [(0,)]


def test_paths_that_users_change_meanwhile_wait(library: StepRuns) -> None:
    """Otherwise a user's rename would be taken for one of the migration's."""
    library.write(
        migrations__002_author=f"{HEADER}SELECT set_config('test.waits', (SELECT count(*) FROM pg_locks WHERE granted"
        " AND relation = 'notes'::regclass AND mode = 'ShareRowExclusiveLock' AND pid = pg_backend_pid())::text, true);"
        "\nUPDATE notes SET body = body || current_setting('test.waits') WHERE id = 1;",
        rollback__002_author_rollback="UPDATE notes SET body = 'a' WHERE id = 1;",
        verify__002_author="SELECT body IN ('a0', 'a1') FROM notes WHERE id = 1;",
    )
    library.up_to("apply")
    assert library.ask(CHANGES) == [("deploy", "1", "a", "a1")]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (["notes", "path"], "there is no such column"),
        (["elsewhere", "notes", "body"], "there is no such column"),
        (["notes", "id"], "it is of type int4, not text"),
        (["without_key", "body"], "has no primary key"),
    ],
)
def test_a_column_that_cannot_be_followed_is_named(connection: Any, header: list[Any], words: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE notes (id int PRIMARY KEY, body text); CREATE TABLE without_key (body text)"
        )
        with pytest.raises(StepFailed, match=words):
            PathColumn(cursor, header)


def test_rows_are_told_apart_by_the_whole_of_their_key(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            'CREATE TABLE "My 5%s Files" (a text, b int, "the % path" varchar, PRIMARY KEY (b, a));'
            "INSERT INTO \"My 5%s Files\" VALUES ('x', 1, 'one'), ('x', 2, 'two')"
        )
        Ledger().create(cursor)
        before = PathsBefore(cursor, ["My 5%s Files", "the % path"])
        cursor.execute('UPDATE "My 5%s Files" SET "the % path" = \'new\' WHERE b = 2')
        assert before.record_changes(cursor, "r1", "002", "deploy") == 1
        cursor.execute(CHANGES)
        assert cursor.fetchall() == [("deploy", '[2, "x"]', "two", "new")]
        cursor.execute("SELECT path_column FROM runbook.path_change_set")
        assert cursor.fetchall() == [(["public", "My 5%s Files", "the % path"],)]


def test_a_script_that_is_not_one_transaction_is_refused(library: StepRuns) -> None:
    library.write(migrations__002_author=f"{HEADER}CREATE INDEX CONCURRENTLY note_body ON notes (body);")
    library.write(rollback__002_author_rollback="DROP INDEX note_body;")
    answer = library.step("preflight")
    assert answer["outcome"] == "refused"
    assert "migrations/002_author.sql is not one transaction" in answer["msg"]


# Files that were left behind -----------------------------------------------------------------------------


def test_what_waits_for_files_that_were_left_behind_and_what_does_not(library: StepRuns) -> None:
    library.up_to("apply")
    library.conclude("failed")

    for wanted in ("003", "pending"):
        answer = library.another(wanted=wanted).step("preflight")
        assert answer["outcome"] == "refused"
        assert "have not followed migration 002" in answer["msg"]
        assert "ansible-playbook deploy.yml -e migration=002" in answer["msg"]

    without_library = library.another(wanted="003")
    without_library.library_hosts = ()
    answer = without_library.step("preflight")
    assert (answer["outputs"]["migrations"], answer["outputs"]["files"]) == (["003"], [])
    without_library.conclude("failed")

    (behind,) = library.another("status").must("status")["outputs"]["files_behind"]
    assert (behind["migration"], behind["direction"], behind["changes"]) == ("002", "deploy", 2)

    again = library.another(wanted="002")
    answer = again.step("preflight")
    assert (answer["outputs"]["migrations"], answer["outputs"]["files"]) == ([], ["002"])
    assert again.step("backup")["outcome"] == "refused", "nothing of it is about the database"
    again.conclude("failed")

    # An emergency does not wait; the same command once more is for the names that have still to come back.
    rollback = rolled_back(library)
    assert library.ask("SELECT count(*) FROM notes WHERE body LIKE '%\\_'") == [(0,)]
    rollback.conclude("failed")
    once_more = library.another("emergency_rollback")
    answer = once_more.step("preflight")
    assert (answer["outputs"]["migrations"], answer["outputs"]["files"]) == ([], ["002"])


def test_pending_ends_the_renaming_when_nothing_is_pending(library: StepRuns) -> None:
    (library.sql_dir / "migrations/003_other.sql").unlink()
    (library.sql_dir / "rollback/003_other_rollback.sql").unlink()
    library.up_to("apply")
    library.conclude("failed")
    answer = library.another(wanted="pending").step("preflight")
    assert (answer["outputs"]["migrations"], answer["outputs"]["files"]) == ([], ["002"])


def test_a_header_that_names_no_such_column_is_found_on_the_copy(library: StepRuns) -> None:
    library.write(
        migrations__002_author="-- Requires: 001\n-- Files: rename notes.path\nUPDATE notes SET body = '';",
        rollback__002_author_rollback="UPDATE notes SET body = 'a' WHERE id = 1;",
    )
    library.up_to("verify_restore")
    answer = library.step("rehearse")
    assert (answer["failed"], answer["outcome"]) == (True, "refused")
    assert "'-- Files: rename notes.path', but there is no such column" in answer["msg"]
