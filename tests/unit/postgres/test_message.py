# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which of PostgreSQL's errors say that a text would be longer than it can make one."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.message import (
    explain_error,
    too_long_as_text,
)


class Said(Exception):
    """An error of the server, as far as it is looked at."""

    def __init__(self, sqlstate: str | None, message: str) -> None:
        super().__init__(message)
        self.pgcode = sqlstate


@pytest.mark.parametrize(
    ("sqlstate", "message", "is_it"),
    [
        ("54000", "string buffer exceeds maximum allowed length (1073741823 bytes)", True),  # PostgreSQL 18
        ("54000", "out of memory", False),
        ("54000", "string buffer overflow", True),
        ("XX000", "invalid memory alloc request size 1200000003", True),
        ("XX000", "cache lookup failed for relation 1", False),
        ("53200", "out of memory", False),
        ("54000", "stack depth limit exceeded", False),
    ],
)
def test_too_long(sqlstate: str, message: str, is_it: bool) -> None:
    error = Said(sqlstate, message)
    assert too_long_as_text(error) is is_it
    assert (explain_error(error)[0] == "row_too_long") is is_it


def test_no_room_for_locks_names_the_setting() -> None:
    code, said = explain_error(Said("53200", "out of shared memory"))
    assert code == "postgresql_error"
    assert "Raise max_locks_per_transaction in its settings" in said
    assert "max_locks" not in explain_error(Said("53200", "out of memory"))[1]


@pytest.mark.parametrize(
    ("sqlstate", "message"),
    [
        (
            None,
            "server closed the connection unexpectedly This probably means the server terminated abnormally",
        ),
        ("57P01", "terminating connection due to administrator command"),
    ],
)
def test_a_session_that_was_ended(sqlstate: str | None, message: str) -> None:
    code, said = explain_error(Said(sqlstate, message))
    assert code == "postgresql_error"
    assert said.startswith(f"{message}. ")
    assert "or by a script of this run that ends the sessions of others (pg_terminate_backend)" in said
