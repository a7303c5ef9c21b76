# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a rehearsal changed, looked at from production, whose rows have the old paths still."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.ledger import Ledger
from ansible_collections.pgops.runbook.plugins.module_utils.library.rehearsed import forget_rehearsed
from ansible_collections.pgops.runbook.plugins.module_utils.library.rehearsed_changes import RehearsedChanges
from ansible_collections.pgops.runbook.plugins.module_utils.shapes import Connection

COLUMN = ["public", "files", "path"]


@pytest.fixture
def changes(connection: Connection) -> RehearsedChanges:
    """Three files whose paths a rehearsal changed; users have renamed one and deleted one since."""
    with connection.cursor() as cursor:
        Ledger().create(cursor)
        cursor.execute(
            "INSERT INTO runbook.path_change_set (run_id, migration, direction, path_column, changes)"
            " VALUES ('run 1', '002', 'rehearsed', %s, 3) RETURNING set_id",
            (COLUMN,),
        )
        (number,) = cursor.fetchone() or ()
        cursor.execute(
            "INSERT INTO runbook.path_change SELECT %s, n, 'old ' || n, 'new ' || n FROM generate_series(1, 3) n",
            (number,),
        )
        cursor.execute(
            "CREATE TABLE files (id int PRIMARY KEY, path text);"
            "INSERT INTO files VALUES (1, 'old 1'), (2, 'of a user'), (4, NULL)"
        )
        found = RehearsedChanges(cursor, "media1", "run 1")
    connection.commit()
    return found


def test_only_rows_that_are_as_they_were_have_a_known_target(
    changes: RehearsedChanges, connection: Connection
) -> None:
    with connection:
        assert list(changes.changes(connection, COLUMN)) == [("1", "old 1", "new 1")]
    with connection:
        assert sorted(changes.rows(connection, COLUMN)) == [("1", "old 1"), ("2", "of a user")]


def test_a_column_that_the_run_is_going_to_make(changes: RehearsedChanges, connection: Connection) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute("ALTER TABLE files DROP COLUMN path")
    with connection:
        assert sorted(changes.changes(connection, COLUMN))[0] == ("1", "old 1", "new 1")
    with connection:
        assert list(changes.rows(connection, COLUMN)) == []


@pytest.mark.parametrize("recorded", [{}, {"002": 2}, {"002": 3, "003": 1}])
def test_changes_that_are_not_those_of_the_receipt(
    changes: RehearsedChanges, recorded: dict[str, Any]
) -> None:
    changes.check_complete({"002": 3})
    with pytest.raises(Refused, match="Start a new run") as refused:
        changes.check_complete(recorded)
    assert refused.value.code == "ledger_damaged"


def test_forgotten_changes_are_none_of_the_run(changes: RehearsedChanges, connection: Connection) -> None:
    with connection, connection.cursor() as cursor:
        assert RehearsedChanges(cursor, "media1", "run 1").sets == changes.sets != []
        forget_rehearsed(cursor)
        assert RehearsedChanges(cursor, "media1", "run 1").sets == []
