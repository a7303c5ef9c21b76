# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Salvage that comes back deletes no row that it does not speak of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import StepFailed
from ansible_collections.pgops.runbook.plugins.module_utils.execution.salvage_return import (
    put_back_salvage,
    refuse_losses,
)
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.returning.returner import SalvageReturner
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.store.items import (
    LABELS,
    TABLE,
    SalvageStore,
)

from tests.integration.step_runs import StepRuns

SCHEMA = """
    CREATE TABLE parent (id int PRIMARY KEY);
    CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent ON DELETE CASCADE) PARTITION BY RANGE (id);
    CREATE TABLE child_low PARTITION OF child FOR VALUES FROM (0) TO (10);
    CREATE TABLE child_high PARTITION OF child FOR VALUES FROM (10) TO (20);
    INSERT INTO parent VALUES (1), (2), (3);
    INSERT INTO child VALUES (1, 1), (2, 1), (11, 1), (3, 2)"""


@pytest.fixture
def cursor(connection: Any) -> Any:
    """Tables, and one kept row of the parent."""
    with connection.cursor() as cursor:
        cursor.execute(SCHEMA)
        store = SalvageStore(cursor)
        store.create()
        item = store.begin_item("r1", "9", TABLE, ("public", "parent"), ["id"], ["id"], {"unique_key": True})
        cursor.execute(
            "INSERT INTO runbook_salvage.kept_row (item, key, occurrence, kept) VALUES (%s, '(4)', 1, '(4)')",
            (item,),
        )
        store.finish_item(item)
        connection.commit()
        yield cursor


class Clumsy(SalvageReturner):
    """An engine with a fault: beside its work it runs another statement."""

    def __init__(self, cursor: Any, fault: Callable[[Any], None]) -> None:
        super().__init__(cursor, "r2", "9")
        self.fault = fault
        self.times = 0
        self.choose()

    def after(self) -> list[dict[str, Any]]:
        self.times += 1
        self.fault(self.cursor)
        return super().after()


def executing(*statements: str) -> Callable[[Any], None]:
    def fault(cursor: Any) -> None:
        for statement in statements:
            cursor.execute(statement)

    return fault


def rows(cursor: Any, table: str) -> int:
    cursor.execute(f"SELECT count(*) FROM {table}")
    return cursor.fetchone()[0]


def test_what_goes_back_is_said_as_ever(cursor: Any) -> None:
    returner = Clumsy(cursor, executing())
    ((done,), losses) = put_back_salvage(cursor, returner, one_by_one=False)
    assert (done["returned"], done["held_back"], losses) == (1, 0, {})
    assert (rows(cursor, "parent"), rows(cursor, "child"), returner.times) == (4, 4, 1)


@pytest.mark.parametrize(
    ("statement", "losses"),
    [
        ("DELETE FROM child WHERE id = 2", {("public", "child"): 1}),
        # By cascade, and in two partitions.
        (
            "DELETE FROM parent WHERE id = 1; INSERT INTO parent VALUES (1)",
            {("public", "child"): 3},
        ),
        ("DELETE FROM child; DELETE FROM parent", {("public", "child"): 4, ("public", "parent"): 2}),
    ],
)
def test_rows_that_go_with_it_are_a_loss_and_nothing_is_done(
    cursor: Any, statement: str, losses: dict
) -> None:
    returner = Clumsy(cursor, executing(statement))
    assert put_back_salvage(cursor, returner, one_by_one=False) == ([], losses)
    assert (rows(cursor, "parent"), rows(cursor, "child")) == (3, 4)
    assert rows(cursor, "runbook_salvage.kept_row") == 1
    with pytest.raises(StepFailed, match=r"rows of public\.child") as refused:
        refuse_losses("9", losses)
    assert refused.value.code == "salvage_would_delete_rows"
    assert "-e restore_salvage=false" in refused.value.reason


def test_a_deletion_that_was_only_tried_is_no_loss(cursor: Any) -> None:
    tried = ("SAVEPOINT tried", "DELETE FROM parent WHERE id = 1", "ROLLBACK TO SAVEPOINT tried")
    returner = Clumsy(cursor, executing(*tried))
    ((done,), losses) = put_back_salvage(cursor, returner, one_by_one=False)
    assert (done["returned"], losses) == (1, {})
    assert (rows(cursor, "parent"), rows(cursor, "child")) == (4, 4)


def test_a_row_that_moves_to_another_partition_is_no_loss(cursor: Any) -> None:
    ((done,), losses) = put_back_salvage(
        cursor, Clumsy(cursor, executing("UPDATE child SET id = 12 WHERE id = 2")), one_by_one=False
    )
    assert (done["returned"], losses) == (1, {})
    assert rows(cursor, "child_high") == 2


def keep_labels(cursor: Any) -> None:
    cursor.execute("CREATE TYPE mood AS ENUM ('glad')")
    store = SalvageStore(cursor)
    facts = {"object": "type public.mood", "labels": []}
    item = store.begin_item("r1", "9", LABELS, facts=facts)
    cursor.execute(
        "INSERT INTO runbook_salvage.kept_row (item, key, occurrence, kept) VALUES (%s, '', 1, '')", (item,)
    )
    store.finish_item(item)


@pytest.mark.parametrize("one_by_one", [False, True])
def test_beside_labels_a_loss_is_seen_too(cursor: Any, one_by_one: bool) -> None:
    """There is no savepoint then where the transaction will be undone as a whole."""
    keep_labels(cursor)
    returner = Clumsy(cursor, executing("DELETE FROM child WHERE id = 2"))
    losses = put_back_salvage(cursor, returner, one_by_one)[1]
    assert losses == {("public", "child"): 1}
    assert rows(cursor, "child") == (4 if one_by_one else 3)


# The whole of it -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("head", ["", "-- Transaction: none\n"], ids=["one transaction", "one by one"])
def test_a_table_whose_key_goes_with_the_rollback_takes_no_child_with_it(runs: StepRuns, head: str) -> None:
    runs.execute(
        "CREATE TABLE shelf (code text UNIQUE, title text)",
        "INSERT INTO shelf VALUES ('a', 'one'), ('b', 'two')",
        "CREATE TABLE book (id int PRIMARY KEY, shelf text REFERENCES shelf (code) ON DELETE CASCADE)",
        "INSERT INTO book VALUES (1, 'a'), (2, 'b')",
    )
    runs.write(
        migrations__002_author=head
        + "ALTER TABLE shelf ADD COLUMN id serial PRIMARY KEY; UPDATE shelf SET title = upper(title);",
        rollback__002_author_rollback="ALTER TABLE shelf DROP COLUMN id; UPDATE shelf SET title = lower(title);",
    )
    runs.up_to("verify")
    runs.conclude()
    runs.execute("UPDATE shelf SET id = id + 100", "INSERT INTO shelf VALUES ('c', 'three')")
    runs.another("emergency_rollback").roll_back()
    runs.execute("INSERT INTO book VALUES (3, 'a')")
    again = runs.another()
    again.up_to("apply")
    assert runs.ask("SELECT array_agg(id ORDER BY id) FROM book") == [([1, 2, 3],)]
