# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a DO block does, as far as it is followed: each statement, and whether it is certain to run just once."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting.blocks import statements_of
from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting.names import printed
from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting.undo import CannotInvert
from pglast import parse_sql


def followed(body: str) -> list[tuple[str, bool]]:
    (raw,) = parse_sql(f"DO $body$ {body} $body$")
    return [(printed(statement), once) for statement, once in statements_of(raw.stmt)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("BEGIN END", []),
        (
            "BEGIN DROP TABLE a; BEGIN DROP TABLE b; END; END",
            [("DROP TABLE a", True), ("DROP TABLE b", True)],
        ),
        ("DECLARE n int := f(); BEGIN n := g(n); END", [("SELECT f()", True), ("SELECT g(n)", True)]),
        ("BEGIN IF f() THEN DROP TABLE a; END IF; END", [("SELECT f()", True), ("DROP TABLE a", False)]),
        (
            "BEGIN IF true THEN ELSE DROP TABLE a; END IF; END",
            [("SELECT TRUE", True), ("DROP TABLE a", False)],
        ),
        (
            "BEGIN WHILE f() LOOP DROP TABLE a; END LOOP; END",
            [("SELECT f()", False), ("DROP TABLE a", False)],
        ),
        (
            "DECLARE r record; BEGIN FOR r IN SELECT 1 LOOP DROP TABLE a; END LOOP; END",
            [("SELECT 1", True), ("DROP TABLE a", False)],
        ),
        (
            "DECLARE n int; BEGIN SELECT 1 INTO n; PERFORM f(n); END",
            [("SELECT 1", True), ("SELECT f(n)", True)],
        ),
        (
            "BEGIN IF f() THEN RETURN; END IF; DROP TABLE a; END",
            [("SELECT f()", True), ("DROP TABLE a", False)],
        ),
        ("BEGIN RAISE NOTICE '%', f(); DROP TABLE a; END", [("SELECT f()", True), ("DROP TABLE a", True)]),
        (
            "BEGIN IF f() THEN RAISE 'no'; END IF; DROP TABLE a; END",
            [("SELECT f()", True), ("DROP TABLE a", False)],
        ),
    ],
)
def test_statements_and_whether_they_run_once(body: str, expected: list[tuple[str, bool]]) -> None:
    assert followed(body) == expected


@pytest.mark.parametrize(
    "body",
    [
        "BEGIN EXECUTE 'DROP TABLE a'; END",
        "BEGIN DROP TABLE a; EXCEPTION WHEN others THEN DROP TABLE b; END",
        "BEGIN IF f() THEN NULL; ELSIF g() THEN DROP TABLE a; END IF; END",
        "BEGIN CASE f() WHEN 1 THEN DROP TABLE a; END CASE; END",
        "BEGIN FOR r IN EXECUTE 'SELECT 1' LOOP END LOOP; END",
        "BEGIN CALL p(); END",
        "BEGIN COMMIT; END",
        "DECLARE c CURSOR FOR SELECT f(); BEGIN OPEN c; END",
        "BEGIN this is no PL/pgSQL; END",
    ],
)
def test_what_is_not_followed_is_said(body: str) -> None:
    with pytest.raises(CannotInvert, match="not followed"):
        followed(body)
