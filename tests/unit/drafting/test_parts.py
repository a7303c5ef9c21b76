# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The small parts of a draft: names, settings, rights, the script's text, and what a person reads of it."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting import changing, creating, rows
from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting.again import with_rows
from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting.altering import settings
from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting.checks import checks_of, verify_text
from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting.columns import HANDLERS as OF_COLUMNS
from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting.columns import foreign_options
from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting.constraints import (
    HANDLERS as OF_CONSTRAINTS,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting.grants import granted
from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting.names import literal, quoted, unquoted
from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting.tables import alter_table
from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting.told import draft_report
from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting.undo import part
from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting.written import About, rollback_text
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.header import parse_header
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.script import parse_script
from pglast import parse_sql

from tests.unit.drafting.answers import draft

ABOUT = About("012_x", "012", "", "2026-11-27", "Ada", ("001", "011"))


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("t", "t"),
        ("T", '"T"'),
        ("select", '"select"'),
        ('a"b', '"a""b"'),
        ("ä", '"ä"'),
        ("a.b", '"a.b"'),
        ("", '""'),
    ],
)
def test_names_are_quoted_as_postgresql_does(name: str, written: str) -> None:
    assert quoted(name) == written
    assert unquoted(written) == name


def test_constants_are_the_same_whatever_a_backslash_means() -> None:
    assert literal("it's") == "'it''s'"
    assert literal("a\\b'") == "E'a\\\\b'''"
    assert literal(None) == "NULL"


def test_options_get_the_values_that_they_had() -> None:
    assert settings(["a", "b", "a"], ["a=1", "c=2"]) == ["SET (a = '1')", "RESET (b)"]
    items = parse_sql("ALTER SERVER s OPTIONS (SET host 'a', ADD b '1', DROP c)")[0].stmt.options
    assert foreign_options(items, ["host=it's", "c=2"]) == "OPTIONS (SET host 'it''s', DROP b, ADD c '2')"


def test_rights_are_granted_as_they_were() -> None:
    assert granted([None, "SELECT", False], "TABLE t") == "GRANT SELECT ON TABLE t TO PUBLIC;"
    assert granted(['"A"', "UPDATE", True], "TABLE t", "a") == (
        'GRANT UPDATE (a) ON TABLE t TO "A" WITH GRANT OPTION;'
    )


def test_a_part_is_found_by_its_name_without_quotes() -> None:
    facts = {"columns": {'"N"': {"name": '"N"'}}}
    assert part(facts, "columns", "N") == {"name": '"N"'}
    assert part(facts, "columns", "n") is None


def test_rows_are_lost_with_a_table_and_not_with_a_view_of_rows() -> None:
    facts = {"identity": "public.t", "rows": True, "kind": "r"}
    assert "public.t has rows" in with_rows(facts)[0]
    assert with_rows({**facts, "kind": "m"}) == with_rows({**facts, "rows": False}) == []


def test_each_kind_of_statement_has_one_handler() -> None:
    kinds = [kind for room in (creating, changing, rows) for kind in room.HANDLERS]
    assert len(kinds) == len(set(kinds)) > 50
    assert not set(OF_COLUMNS) & set(OF_CONSTRAINTS)
    assert callable(alter_table)


def test_a_draft_is_a_script_that_preflight_reads() -> None:
    made = draft(
        "CREATE TABLE t (id int);\nUPDATE other SET a = 1; -- Requires: x\nALTER TYPE m RENAME VALUE 'a' TO 'b'"
    )
    text = rollback_text(ABOUT, made)
    header = parse_header(text)
    assert header.unfinished == "1 point is open below; take this line out when none is"
    assert (header.data_loss, header.requires, header.transaction) == ("COMPLETE", ("001", "011"), "one")
    assert [one.sql for one in parse_script(text, "x").statements] == [
        "ALTER TYPE m RENAME VALUE 'b' TO 'a'",
        "DROP TABLE t",
    ]
    assert "-- Takes back line 2: UPDATE other SET a = 1\n-- UNFINISHED: UPDATE changes rows" in text
    assert draft_report(made, ["/sql/x.sql"], {}) == [
        "Drafted: /sql/x.sql",
        "The rollback is unfinished, and is refused until these are seen to (1):",
        f"  line 2, UPDATE other SET a = 1: {made.open_points()[0][1]}",
    ]


def test_indexes_alone_are_dropped_as_they_were_built() -> None:
    text = rollback_text(
        ABOUT, draft("CREATE INDEX CONCURRENTLY i ON t (a); CREATE INDEX CONCURRENTLY j ON t (b)")
    )
    assert parse_header(text).transaction == "none"
    assert "BEGIN" not in text
    assert [one.sql for one in parse_script(text, "x").statements] == [
        "DROP INDEX CONCURRENTLY j",
        "DROP INDEX CONCURRENTLY i",
    ]
    beside = rollback_text(ABOUT, draft("CREATE INDEX CONCURRENTLY i ON t (a); CREATE TABLE u (id int)"))
    assert "CONCURRENTLY i;" not in beside


def test_a_rollback_has_a_statement_even_where_nothing_is_taken_back() -> None:
    text = rollback_text(ABOUT, draft("ANALYZE"))
    assert [one.sql for one in parse_script(text, "x").statements] == ["SELECT"]


@pytest.mark.parametrize(
    "hostile",
    [
        'CREATE TABLE "a\n; DROP TABLE x; --" (id int)',
        "COMMENT ON TABLE t IS '*/ $check$ -- x'; CREATE TABLE t (\"$check$\" int)",
        "CREATE TABLE t (id int) /* -- */; UPDATE \"a\n-- Unfinished: none\" SET b = '\n-- Leaves: enum label x.y'",
    ],
)
def test_hostile_names_stay_in_their_places(hostile: str) -> None:
    text = rollback_text(ABOUT, draft(hostile))
    assert parse_header(text).leaves == ()
    kinds = {one.kind for one in parse_script(text, "x").statements}
    assert kinds <= {"DropStmt", "SelectStmt"}
    assert [
        one.kind for one in parse_script(verify_text("x", "012", checks_of(hostile)), "x").statements
    ] == ["DoStmt"]


def test_a_verify_script_that_has_nothing_to_ask_is_unfinished() -> None:
    assert parse_header(verify_text("x", "012", checks_of("UPDATE t SET a = 1"))).unfinished
    assert parse_header(verify_text("x", "012", checks_of("CREATE TABLE t (id int)"))).unfinished is None
