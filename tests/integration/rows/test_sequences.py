# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""No number that was given out is given out again, and a ROLLBACK takes back what was advanced."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.tables import table_facts
from ansible_collections.pgops.runbook.plugins.module_utils.rows.sequences import (
    advance_sequence,
    advance_sequences_of,
    carry_sequences,
)

from tests.integration.rows.sides import Sides


def test_sequences_go_on_and_never_back(sides: Sides) -> None:
    for live in (True, False):
        sides.write("CREATE SEQUENCE down INCREMENT -2; CREATE SEQUENCE small MAXVALUE 9", live=live)
    sides.write(
        "ALTER SEQUENCE small MAXVALUE 99; SELECT setval('small', 50), setval('author_id_seq', 70), nextval('down')"
    )
    sides.write("SELECT setval('book_id_seq', 1000)", live=False)
    with sides.live, sides.new, sides.live.cursor() as live, sides.new.cursor() as new:
        moved = carry_sequences(live, new)
    assert moved == {"public.author_id_seq": 70, "public.down": -1}
    assert sides.ask("SELECT nextval('author_id_seq'), nextval('book_id_seq'), nextval('down')") == [
        (71, 1001, -3)
    ]


@pytest.mark.parametrize(
    ("declared", "wanted", "following"),
    [
        ("", 40, 40),
        ("", 3, 11),
        ("INCREMENT -1 START -1", -40, -40),
        ("INCREMENT -1 START -1", -3, -11),
        ("MAXVALUE 20", 40, 20),
    ],
)
def test_a_sequence_is_advanced_up_or_down_within_its_bounds(
    connection: Any, declared: str, wanted: int, following: int
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE SEQUENCE ticket {declared}; SELECT nextval('ticket') FROM generate_series(1, 10)"
        )
        assert advance_sequence(cursor, ("public", "ticket"), wanted)
        cursor.execute("SELECT nextval('ticket')")
        assert cursor.fetchone() == (following,)
        assert not advance_sequence(cursor, ("public", "tickets"), wanted), "there is none of that name"


def test_what_was_advanced_goes_back_with_the_transaction(connection: Any) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE star (id serial PRIMARY KEY, n bigint GENERATED ALWAYS AS IDENTITY, t text)"
        )
        cursor.execute("CREATE SEQUENCE words OWNED BY star.t")
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO star OVERRIDING SYSTEM VALUE VALUES (7, 70, 'x')")
        table = table_facts(cursor, ("public", "star"))
        assert table is not None
        advance_sequences_of(cursor, table)
        cursor.execute("SAVEPOINT here; INSERT INTO star (t) VALUES ('y') RETURNING id, n")
        assert cursor.fetchone() == (8, 71)
    connection.rollback()
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO star (t) VALUES ('z') RETURNING id, n")
        assert cursor.fetchone() == (1, 1)
