# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What was let pass once is no difference to what comes after, and nothing else passes for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.application import read_schema
from ansible_collections.pgops.runbook.plugins.module_utils.content.fingerprint import content_fingerprint
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import transaction
from ansible_collections.pgops.runbook.plugins.module_utils.rehearsal.left_behind import LeftBehind

TABLE = (
    "CREATE TABLE public.t (a int, b int); INSERT INTO public.t SELECT n, n FROM generate_series(1, 3) AS n"
)
TO_THE_END = "ALTER TABLE public.t DROP COLUMN a; ALTER TABLE public.t ADD COLUMN a int"
ORDER = "column order public.t"


@pytest.fixture
def states(connection: Any) -> Callable[[str], tuple[Any, Any]]:
    """Run statements; schema and rows after them."""

    def after(statements: str) -> tuple[Any, Any]:
        with transaction(connection) as cursor:
            cursor.execute(statements)
            return read_schema(cursor), content_fingerprint(cursor)

    return after


def left_behind(connection: Any, accept_residue: bool = False) -> LeftBehind:
    return LeftBehind(connection, None, False, accept_residue, ())


def of(*leaves: str) -> dict[str, Any]:
    return {"version": "001", "leaves": list(leaves)}


def test_what_a_header_declares_is_left_and_counts_no_more(connection: Any, states: Any) -> None:
    before, _ = states(TABLE)
    after, _ = states(TO_THE_END)
    left = left_behind(connection)
    assert left.differing(before, after) == [ORDER]
    assert left.of_schema(of(ORDER), before, after) == [ORDER]
    assert (left.residue, left.differing(before, after)) == ({ORDER}, [])
    assert left.of_schema(of(), before, after) == [], "another one leaves nothing new"


def test_undeclared_it_is_refused_with_the_line_to_add_unless_it_is_accepted(
    connection: Any, states: Any
) -> None:
    before, _ = states(TABLE)
    after, _ = states(TO_THE_END)
    left = left_behind(connection)
    with pytest.raises(Refused, match="-- Leaves: column order t") as refused:
        left.of_schema(of("column order other"), before, after)
    assert (refused.value.code, left.residue) == ("rehearsal_rollback_leaves_residue", set())
    assert left_behind(connection, accept_residue=True).of_schema(of(), before, after) == [ORDER]


def test_no_residue_excuses_a_difference(connection: Any, states: Any) -> None:
    before, _ = states(TABLE)
    after, _ = states(f"{TO_THE_END}; ALTER TABLE public.t ADD COLUMN c int")
    with pytest.raises(Refused) as refused:
        left_behind(connection, accept_residue=True).of_schema(of(ORDER), before, after)
    assert refused.value.code == "rehearsal_rollback_schema_differs"


def test_only_a_table_that_the_migration_makes_may_have_the_order_that_was_left(
    connection: Any, states: Any
) -> None:
    before, _ = states(TABLE)
    first, _ = states("CREATE TABLE public.made AS TABLE public.t")
    again, _ = states("DROP TABLE public.made; CREATE TABLE public.made AS SELECT b, a FROM public.t")
    made = "column order public.made"
    left = left_behind(connection)
    assert left.differing_again(first, again, before, [ORDER]) == []
    assert left.differing_again(first, again, before, []) == [made]
    assert left.differing_again(first, again, first, [ORDER]) == [made]


def test_rows_that_differ_are_refused_until_nothing_is_known_of_them(connection: Any, states: Any) -> None:
    _, before = states(TABLE)
    _, after = states("DELETE FROM public.t WHERE a = 1")
    left = left_behind(connection)
    assert left.of_rows(of(), before, before, []) == ([], [], [])
    assert left.of_rows(of(), None, after, []) == ([], [], []), "nobody knows what there was"
    with pytest.raises(Refused) as refused:
        left.of_rows(of(), before, after, [])
    assert refused.value.code == "rehearsal_rollback_data_differs"
    impacts = [{"rows": {"public.t": {"inserted": 1}}}, {"rows": {}}]
    _, grown = states("INSERT INTO public.t VALUES (1, 1), (4, 4)")
    assert left.of_rows(of("rows of t"), before, grown, impacts) == ([], [], ["rows of t"])
    assert left.of_rows(of(), before, after, []) == ([], ["public.t"], []), (
        "it was let pass, and says nothing now"
    )
    left.all_applied()
    with pytest.raises(Refused):
        left.of_rows(of(), before, after, [])
