# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which statements add a label to an enum, and how they are written for one that is there already."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.execution.labels_left import if_not_exists
from pglast import parse_sql


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TYPE mood ADD VALUE 'it''s'",
        "alter type a.\"b c\" add\n value 'x' before 'y'",
        "ALTER TYPE mood -- comment\n ADD VALUE 'x' AFTER 'y'",
        "-- ADD VALUE 'z'\nALTER TYPE mood ADD VALUE 'x'",
    ],
)
def test_a_label_is_added_if_it_is_not_there(statement: str) -> None:
    (changed,) = parse_sql(if_not_exists(statement))
    (was,) = parse_sql(statement)
    assert (was.stmt.skipIfNewValExists, changed.stmt.skipIfNewValExists) == (False, True)
    assert (changed.stmt.newVal, changed.stmt.newValNeighbor) == (was.stmt.newVal, was.stmt.newValNeighbor)
    assert len(changed.stmt.typeName) == len(was.stmt.typeName)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TYPE mood ADD VALUE IF NOT EXISTS 'x'",
        "ALTER TYPE mood RENAME VALUE 'x' TO 'y'",
        "COMMENT ON TABLE t IS 'ALTER TYPE mood ADD VALUE ''x'''",
        "INSERT INTO t VALUES ($$ALTER TYPE mood ADD VALUE 'x'$$)",
    ],
)
def test_other_statements_stay_as_they_are(statement: str) -> None:
    assert if_not_exists(statement) == statement
