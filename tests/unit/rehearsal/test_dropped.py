# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What has another name is not dropped; what has none any more is."""

from __future__ import annotations

from ansible_collections.pgops.runbook.plugins.module_utils.rehearsal.dropped import Place, dropped

BEFORE = {
    "public.notes": Place(1, 0, False),
    "public.notes.body": Place(1, 1, False),
    "public.notes.length": Place(1, 2, True),
    "public.tags": Place(2, 0, False),
    "public.tags.name": Place(2, 1, False),
}
ALL = ["table public.notes", "column public.notes.body", "column public.notes.length"]


def test_a_renamed_table_and_its_columns_are_there() -> None:
    assert dropped(ALL, BEFORE, [Place(1, 0, False), Place(1, 1, False), Place(1, 2, True)]) == ([], [])


def test_a_column_that_is_dropped_of_a_table_that_is_renamed_is_named() -> None:
    assert dropped(ALL, BEFORE, [Place(1, 0, False)]) == ([], ["public.notes.body"])


def test_a_table_is_named_without_its_columns() -> None:
    removed = [
        "table public.tags",
        "column public.tags.name",
        "index public.tags_pkey",
        "column order public.tags",
    ]
    assert dropped(removed, BEFORE, BEFORE.values()) == ([], [])
    assert dropped(removed, BEFORE, []) == (["public.tags"], [])
    odd = {'public."a.b"': Place(3, 0, False), 'public."a.b"."c.d"': Place(3, 1, False)}
    assert dropped(['table public."a.b"', 'column public."a.b"."c.d"'], odd, []) == (['public."a.b"'], [])


def test_another_one_in_the_place_of_a_column_is_another_one() -> None:
    assert dropped(["column public.tags.name"], BEFORE, [Place(2, 0, False), Place(2, 2, False)]) == (
        [],
        ["public.tags.name"],
    )


def test_what_nobody_knew_before_counts_as_gone() -> None:
    assert dropped(["column public.strange.x"], BEFORE, BEFORE.values()) == ([], ["public.strange.x"])
