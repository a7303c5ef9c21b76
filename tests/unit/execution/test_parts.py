# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which statements of a script commit together, and which of them may change rows."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.execution.parts import (
    does_nothing,
    lines_of_changes,
    parts_of,
    sets_session,
)
from ansible_collections.pgops.runbook.plugins.module_utils.preflight.checks import check_rows_change_together
from ansible_collections.pgops.runbook.plugins.module_utils.shapes import Script
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.script import parse_script

SCRIPT = """SET work_mem = '8MB';
DELETE FROM t;
DROP INDEX CONCURRENTLY i;
DROP INDEX CONCURRENTLY j;
CREATE INDEX k ON t (a);
ANALYZE t;
"""


def script(text: str) -> Script:
    parsed = parse_script(text, "x.sql")
    return {"name": "x.sql", "statements": [dataclasses.asdict(one) for one in parsed.statements]}


def test_statements_of_a_rollback_that_stand_together_are_one_part() -> None:
    parts = parts_of(script(SCRIPT), "rollback")
    assert [(one.first, len(one.statements), one.is_alone, one.changes_rows) for one in parts] == [
        (1, 2, False, True),
        (3, 1, True, False),
        (4, 1, True, False),
        (5, 2, False, False),
    ]
    assert [ordinal for part in parts for ordinal, _ in part.numbered()] == [1, 2, 3, 4, 5, 6]


def test_each_statement_of_an_apply_script_is_a_part() -> None:
    assert [one.first for one in parts_of(script(SCRIPT), "apply")] == [1, 2, 3, 4, 5, 6]


def test_lines_are_those_of_the_first_change_in_each_part() -> None:
    assert lines_of_changes(script(SCRIPT)) == [2]
    assert lines_of_changes(script(SCRIPT + "SELECT f();")) == [2, 7]
    assert lines_of_changes(script("VACUUM t;\nDROP INDEX i;")) == []


def test_more_than_one_part_that_may_change_rows_is_refused() -> None:
    check_rows_change_together("x.sql", [])
    check_rows_change_together("x.sql", [2])
    with pytest.raises(Refused, match=r"^x\.sql may change rows in 2 places \(lines 2, 7\).*together"):
        check_rows_change_together("x.sql", [2, 7])


@pytest.mark.parametrize(
    ("text", "nothing"),
    [
        ("BEGIN; SELECT 'nothing to do'; SELECT 1; COMMIT;", True),
        ("SELECT 'x'; SELECT f();", False),
        ("SELECT 'x'; COMMENT ON TABLE t IS 'y';", False),
        ("", False),
    ],
)
def test_a_script_that_only_says_something_does_nothing(text: str, nothing: bool) -> None:
    assert does_nothing(script(text)) is nothing


def test_statements_that_only_set_something_may_be_said_again() -> None:
    text = """SET work_mem = '8MB'; RESET work_mem; SET ROLE x;
        SELECT pg_catalog.set_config('search_path', '', false); SELECT set_config('a.b', '', false);
        SELECT setval('s', 1); UPDATE t SET a = 1; PREPARE p AS SELECT 1; SELECT a FROM t;"""
    said = [sets_session(one) for one in script(text)["statements"]]
    assert said == [True] * 5 + [False] * 4
