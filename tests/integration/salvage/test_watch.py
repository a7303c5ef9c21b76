# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What counts as a loss: also what is truncated or rewritten in a table that the migration itself never wrote to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.watch import (
    DestructionWatch,
    Loss,
    losses_from_json,
    losses_to_json,
    uncovered,
)

from tests.integration.salvage.deployment import Deployment

BOOK, NOTE = ("public", "book"), ("public", "note")


def lost(connection: Any, *statements: str) -> dict[tuple[str, str], Loss]:
    """What the statements destroy, by table; they are undone."""
    with connection.cursor() as cursor:
        watch = DestructionWatch(cursor)
        for statement in statements:
            cursor.execute(statement)
        found = watch.losses(watch.look())
    connection.rollback()
    return {loss.table: loss for loss in found.values()}


@pytest.mark.parametrize(
    ("statement", "loss"),
    [
        ("TRUNCATE note", Loss(NOTE, rows=True)),
        ("UPDATE note SET at = 9", Loss(NOTE, rows=True)),
        ("DELETE FROM note WHERE at = 1", Loss(NOTE, rows=True)),
        ("ALTER TABLE note ALTER at TYPE text", Loss(NOTE, rows=True)),
        ("ALTER TABLE note ALTER body TYPE varchar", Loss(NOTE, rows=True)),
        # Not converted as far as the catalog tells, and written anew with another value all the same.
        ("ALTER TABLE note ALTER at TYPE int USING 0", Loss(NOTE, rows=True)),
        ("ALTER TABLE note DROP COLUMN at", Loss(NOTE, columns={"at"})),
        ("DROP TABLE note", Loss(NOTE, whole=True, rows=True)),
        ("DROP TABLE note; CREATE TABLE note (body text, at int)", Loss(NOTE, whole=True, rows=True)),
        ("ALTER TABLE note RENAME at TO since", None),
        ("ALTER TABLE note ADD COLUMN more text", None),
        ("INSERT INTO note VALUES ('new', 1)", None),
        ("SELECT FROM note", None),
    ],
)
def test_what_counts_as_a_loss(
    connection: Any, deployment: Callable[[str, str], Deployment], statement: str, loss: Loss | None
) -> None:
    assert deployment
    assert lost(connection, statement) == ({NOTE: loss} if loss else {})


def test_a_truncated_partition_is_a_loss_of_its_topmost_table(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE log (at int) PARTITION BY LIST (at);"
            " CREATE TABLE log_1 PARTITION OF log FOR VALUES IN (1); INSERT INTO log VALUES (1)"
        )
    connection.commit()
    assert lost(connection, "TRUNCATE log_1") == {("public", "log"): Loss(("public", "log"), rows=True)}


@pytest.mark.parametrize(
    "rollback",
    [
        "DROP TABLE star; TRUNCATE note;",
        "DROP TABLE star; ALTER TABLE note ALTER at TYPE int USING 0;",
        "DROP TABLE star; DELETE FROM note;",
    ],
)
def test_rows_of_a_table_that_the_migration_did_not_write_are_kept(
    deployment: Callable[[str, str], Deployment], rollback: str
) -> None:
    """On the copy the table had no row, so that the rehearsal saw nothing of it."""
    one = deployment("CREATE TABLE star (id int);", rollback)
    one.execute("CREATE TABLE held AS SELECT * FROM note; DELETE FROM note")
    one.rehearse()
    one.deploy()
    assert "public.note" not in one.written
    one.execute("INSERT INTO note SELECT * FROM held")
    kept = one.roll_back()
    # Where the rollback leaves rows, those that it has made of them are to go again.
    (left,) = one.ask("SELECT count(*) FROM note")[0]
    assert {item["kind"]: item["rows"] for item in kept}["changed rows"] == 4 + left
    assert one.ask("SELECT count(*) FROM runbook_salvage.kept_row") == [(4 + left,)]


# What was planned for ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "planned", "widened"),
    [
        (Loss(NOTE, rows=True), None, Loss(NOTE, rows=True)),
        (Loss(NOTE, rows=True), Loss(NOTE, rows=True), None),
        (Loss(NOTE, rows=True), Loss(NOTE, whole=True), None),
        (Loss(NOTE, rows=True), Loss(NOTE, columns={"a"}), Loss(NOTE, columns={"a"}, rows=True)),
        (Loss(NOTE, columns={"b"}), Loss(NOTE, columns={"a"}), Loss(NOTE, columns={"a", "b"})),
        (Loss(NOTE, columns={"a"}), Loss(NOTE, columns={"a", "b"}), None),
        (Loss(NOTE, whole=True), Loss(NOTE, columns={"a"}, rows=True), Loss(NOTE, whole=True)),
    ],
)
def test_what_was_not_planned_for_widens_the_plan(
    found: Loss, planned: Loss | None, widened: Loss | None
) -> None:
    plan = {7: planned} if planned else {}
    others = {8: Loss(BOOK, whole=True)}
    assert uncovered({7: found}, {**plan, **others}) == ({**others, 7: widened} if widened else {})


def test_losses_keep_their_meaning_by_name(
    connection: Any, deployment: Callable[[str, str], Deployment]
) -> None:
    assert deployment
    with connection.cursor() as cursor:
        watch = DestructionWatch(cursor)
        note = watch.oid_of(NOTE)
        losses = {note: Loss(NOTE, columns={"at"}, rows=True)}
        assert losses_from_json(watch, losses_to_json(losses)) == losses
        gone = [*losses_to_json({1: Loss(("public", "gone"), whole=True)})]
        assert losses_from_json(watch, gone) == {}
    connection.rollback()


def test_many_tables_are_read_three_times_whatever_is_kept(
    deployment: Callable[[str, str], Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the rollback, after it, and when the migration was applied again: all under the rollback's locks."""
    story = deployment(
        "ALTER TABLE book ADD COLUMN price int; ALTER TABLE note ADD COLUMN price int",
        "ALTER TABLE book DROP COLUMN price; ALTER TABLE note DROP COLUMN price",
    )
    story.rehearse()
    story.deploy()
    story.execute("UPDATE book SET price = 1; UPDATE note SET price = 2")
    looks = []
    read = DestructionWatch._tables
    monkeypatch.setattr(DestructionWatch, "_tables", lambda watch: looks.append(1) or read(watch))
    story.roll_back()
    assert len(looks) == 3
    story.deploy()
    assert story.ask("SELECT DISTINCT price FROM book") == [(1,)]
    assert story.ask("SELECT DISTINCT price FROM note") == [(2,)]
