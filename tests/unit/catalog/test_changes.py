# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a migration changes, object by object: a table is one line, and so is a key."""

from __future__ import annotations

from typing import Any

from ansible_collections.pgops.runbook.plugins.module_utils.catalog.changes import LIMIT, schema_changes
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.difference import difference

FILES = {
    "table public.files": {"owner": "midi"},
    "column order public.files": {"columns": ["id", "name"]},
    "column public.files.id": {"type": "bigint", "not null": True, "default": "nextval('s')"},
    "column public.files.name": {"type": "text", "not null": False},
    "constraint public.files.files_pkey": {"definition": "PRIMARY KEY (id)"},
    "index public.files_pkey": {"table": "public.files", "definition": "CREATE UNIQUE INDEX …"},
}


def changes(before: Any, after: Any) -> list[Any]:
    return [
        (one["sign"], one["object"], one["definition"])
        for one in schema_changes(difference(before, after))["changes"]
    ]


def test_a_new_table_is_one_line_with_its_columns() -> None:
    assert changes({}, FILES) == [
        ("+", "table public.files", "id bigint DEFAULT nextval('s') NOT NULL, name text")
    ]


def test_a_table_that_goes_is_one_line() -> None:
    assert [line[:2] for line in changes(FILES, {})] == [("-", "table public.files")]


def test_a_column_that_comes_is_one_line_and_the_order_of_columns_none() -> None:
    after = {
        **FILES,
        "column order public.files": {"columns": ["id", "name", "lyrics"]},
        "column public.files.lyrics": {"type": "text[]", "not null": False, "default": "'{}'"},
    }
    assert changes(FILES, after) == [("+", "column public.files.lyrics", "text[] DEFAULT '{}'")]


def test_what_is_altered_says_what_it_was() -> None:
    after = {**FILES, "column public.files.name": {"type": "text", "not null": True}}
    assert changes(FILES, after) == [("~", "column public.files.name", "not null was false, is true")]


def test_an_order_that_is_all_that_changed_is_told() -> None:
    after = {**FILES, "column order public.files": {"columns": ["name", "id"]}}
    ((sign, key, words),) = changes(FILES, after)
    assert (sign, key) == ("~", "column order public.files")
    assert "(name, id)" in words


def test_more_than_a_person_reads_is_counted() -> None:
    found = schema_changes(difference({}, {f"schema s{number}": {} for number in range(LIMIT + 7)}))
    assert (len(found["changes"]), found["more"]) == (LIMIT, 7)
