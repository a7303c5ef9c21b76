# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which statements of a sample script may be executed at the same time."""

from __future__ import annotations

import pglast
import pytest

from demo.load_library import PROJECT
from demo.side_by_side import waves

INTO_A, INTO_B, INTO_C = (f"INSERT INTO {table} VALUES (1)" for table in "abc")


@pytest.mark.parametrize(
    ("script", "parts"),
    [
        pytest.param([INTO_A, INTO_B, INTO_C], [[INTO_A, INTO_B, INTO_C]], id="tables of their own"),
        pytest.param([INTO_A, INTO_B, INTO_A], [[INTO_A, INTO_B], [INTO_A]], id="numbers of one sequence"),
        pytest.param(
            [INTO_A, "INSERT INTO b SELECT * FROM a"],
            [[INTO_A], ["INSERT INTO b SELECT * FROM a"]],
            id="reads what was written",
        ),
        pytest.param(
            ["INSERT INTO b SELECT * FROM a", "DELETE FROM a"],
            [["INSERT INTO b SELECT * FROM a"], ["DELETE FROM a"]],
            id="writes what is being read",
        ),
        pytest.param(
            ["INSERT INTO b SELECT * FROM a", "INSERT INTO c SELECT * FROM a"],
            [["INSERT INTO b SELECT * FROM a", "INSERT INTO c SELECT * FROM a"]],
            id="both read",
        ),
        pytest.param(
            [INTO_A, "UPDATE b SET x = (SELECT max(x) FROM a)"],
            [[INTO_A], ["UPDATE b SET x = (SELECT max(x) FROM a)"]],
            id="in an expression",
        ),
        pytest.param(
            [INTO_A, INTO_B, "WITH named AS (SELECT * FROM a) INSERT INTO c SELECT * FROM named", INTO_B],
            [[INTO_A, INTO_B], ["WITH named AS (SELECT * FROM a) INSERT INTO c SELECT * FROM named", INTO_B]],
            id="in a WITH",
        ),
    ],
)
def test_a_statement_waits_for_what_it_needs(script: list[str], parts: list[list[str]]) -> None:
    assert waves(";\n".join(script) + ";") == parts


def test_no_statement_of_the_samples_is_lost() -> None:
    for sample in sorted((PROJECT / "sql" / "sample").glob("*.sql")):
        script = sample.read_text(encoding="utf-8")
        assert tuple(one for part in waves(script) for one in part) == pglast.split(script), sample.name
