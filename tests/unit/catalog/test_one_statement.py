# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Nothing follows a definition in the text that is sent for it."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.one_statement import is_one_statement

BODY = "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC"


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "SELECT 1;",
        "SELECT 1 ;\n",
        "SELECT ';', E'\\';', 'it''s;', \"a;\"\"b\", x';'",
        "CREATE RULE r AS ON UPDATE TO t DO ( DELETE FROM t; SELECT 1;\n);",
        f"{BODY} SELECT CASE WHEN a THEN 1 END; DELETE FROM t; END",
        f"{BODY} SELECT begin AS atomic; END",
        "SELECT (- 1) - '-2'::integer",
        "SELECT $1, a$b",
        r"SELECT date'\', 'a;b'",
    ],
)
def test_one_statement_is_one(text: str) -> None:
    assert is_one_statement(text)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1; SELECT 2",
        "SELECT (1); DROP TABLE t",
        "SELECT 'a'; DROP TABLE t; SELECT 'b'",
        r"SELECT 'a\'; DROP TABLE t; SELECT 'b'",
        r"SELECT date'\'; DROP TABLE t; --'",
        "SELECT 1) AS made; DROP TABLE t; SELECT (2",
        "SELECT (1",
        "SELECT 'a",
        'SELECT "a',
        "SELECT 1 -- ; ' ",
        "SELECT /* ' */ 1",
        "SELECT $x$'$x$; DROP TABLE t; SELECT $x$'$x$",
        "SELECT $$'$$; DROP TABLE t",
        f"{BODY} SELECT 1; END; DROP TABLE t",
        f"{BODY} SELECT begin atomic FROM t; END; DROP TABLE t; SELECT CASE WHEN a THEN 1 END",
        f"{BODY} SELECT 1; END; {BODY} SELECT 1; END",
        f"{BODY} SELECT 1;",
        "SELECT 1 END; DROP TABLE t; SELECT CASE WHEN 1",
    ],
)
def test_what_holds_another_or_does_not_end_is_none(text: str) -> None:
    assert not is_one_statement(text)
