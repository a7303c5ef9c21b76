# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The journal says how far a script got whose statements commit one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.journal import (
    Journal,
    close_all_journals,
    journal_of,
    open_journal,
)
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.ledger import Ledger

FIRST = {"sql": "CREATE TABLE a ()", "line": 3}
SECOND = {"sql": "VACUUM a", "line": 5}


@pytest.fixture
def cursor(connection: Any) -> Iterator[Any]:
    with connection.cursor() as cursor:
        Ledger().create(cursor)
        yield cursor


@pytest.fixture
def journal(cursor: Any) -> Journal:
    """One statement is done, and the second one begun."""
    made = Journal.begin(cursor, "run", "002", "apply", "0" * 64)
    made.note_begin(cursor, 1, FIRST)
    made.note_done(cursor, 1)
    made.note_begin(cursor, 2, SECOND)
    return made


def test_a_statement_is_new_begun_or_done(cursor: Any, journal: Journal) -> None:
    assert journal.state(cursor, 1, FIRST) == "done"
    assert journal.state(cursor, 2, SECOND) == "begun"
    assert journal.state(cursor, 3, SECOND) == "new"
    journal.forget(cursor, 2)
    assert journal.state(cursor, 2, SECOND) == "new"


@pytest.mark.parametrize(("ordinal", "statement"), [(1, FIRST), (2, SECOND)])
def test_a_statement_with_other_words_is_not_the_one_that_was_carried_out(
    cursor: Any, journal: Journal, ordinal: int, statement: dict[str, Any]
) -> None:
    with pytest.raises(Refused, match=f"line {statement['line']} was edited after it had been committed"):
        journal.state(cursor, ordinal, {**statement, "sql": statement["sql"] + " "})


def test_the_open_journal_says_how_far_it_got(cursor: Any, journal: Journal) -> None:
    assert open_journal(cursor) == {
        "journal_id": journal.journal_id,
        "run_id": "run",
        "migration": "002",
        "direction": "apply",
        "catalog_before": "0" * 64,
        "done": 1,
        "last_line": 5,
        "begun_line": 5,
        "resumed_by": None,
        "batches": 0,
    }


def test_a_run_that_resumes_it_has_to_do_with_it_too(cursor: Any, journal: Journal) -> None:
    assert journal_of(cursor, "run") is not None
    assert journal_of(cursor, "another") is None
    again = Journal.resume(cursor, open_journal(cursor), "another")
    assert (again.journal_id, again.run_id) == (journal.journal_id, "run")
    assert [journal_of(cursor, run_id) is None for run_id in ("run", "another", "third")] == [
        False,
        False,
        True,
    ]
    Journal.resume(cursor, open_journal(cursor), "third")
    assert journal_of(cursor, "another") is None


def test_what_is_committed_in_batches_is_counted_and_not_forgotten(cursor: Any, journal: Journal) -> None:
    for _ in range(3):
        journal.note_batch(cursor, 2)
    journal.forget(cursor, 2)
    assert (journal.batches(cursor, 2), open_journal(cursor)["batches"]) == (3, 3)
    assert journal.batches(cursor, 9) == 0
    journal.note_done(cursor, 2)
    assert open_journal(cursor)["batches"] == 0, "all of it is done"


def test_a_journal_of_an_older_release_is_read_too(cursor: Any, journal: Journal) -> None:
    cursor.execute("ALTER TABLE runbook.journal DROP COLUMN resumed_by")
    cursor.execute("ALTER TABLE runbook.journal_statement DROP COLUMN batches")
    found = open_journal(cursor)
    assert (found["resumed_by"], found["batches"], found["done"]) == (None, 0, 1)


@pytest.mark.parametrize(
    "close", [lambda journal, cursor: journal.close(cursor), lambda _, cursor: close_all_journals(cursor)]
)
def test_a_closed_journal_holds_nobody_up(cursor: Any, journal: Journal, close: Any) -> None:
    close(journal, cursor)
    assert open_journal(cursor) is None


def test_a_journal_is_forgotten_only_without_a_statement(cursor: Any, journal: Journal) -> None:
    assert not journal.drop_if_nothing_is_done(cursor)
    assert open_journal(cursor) is not None
    journal.close(cursor)
    empty = Journal.begin(cursor, "run", "003", "apply", "0" * 64)
    assert empty.drop_if_nothing_is_done(cursor)
    assert open_journal(cursor) is None


def test_without_a_ledger_there_is_no_journal(connection: Any) -> None:
    with connection.cursor() as cursor:
        assert open_journal(cursor) is None
