# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""How long keeping and putting back many rows takes, as a multiple of copying them with plain SQL."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from typing import Any

from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import connect

from benchmarks.measurement import Measurement
from demo.local_server import LocalServer
from tests.integration.salvage.deployment import Deployment
from tests.integration.step_runs import target

__all__ = ["measure"]

DATABASE = "salvage_speed"

BEFORE = """
    CREATE TABLE book (id int PRIMARY KEY, title text NOT NULL, shelf int, added timestamptz);
    INSERT INTO book
    SELECT n, 'a title of some length, number ' || n, n % 100, '2020-01-01'::timestamptz + n * '1 min'::interval
    FROM generate_series(1, {rows}) AS n"""
APPLY, ROLLBACK = "ALTER TABLE book ADD COLUMN note text", "ALTER TABLE book DROP COLUMN note"
WRITE = "UPDATE book SET note = 'a note of a user on number ' || id"

COPY = """
    CREATE TABLE copy_of_book (LIKE book INCLUDING ALL);
    INSERT INTO copy_of_book SELECT * FROM book;
    CREATE TABLE copy_of_copy (LIKE book INCLUDING ALL);
    INSERT INTO copy_of_copy SELECT * FROM copy_of_book;
    DROP TABLE copy_of_book, copy_of_copy"""

# What is below keeping whatever is compared: the rows are written once as the salvage holds them, as text, with what
# the migration makes of them beside; and below putting back: the rows are updated, and nothing is looked up.
ENTER = """
    CREATE TABLE entered (LIKE runbook_salvage.kept_row INCLUDING ALL);
    INSERT INTO entered (item, key, occurrence, kept, base, columns)
    SELECT 1, ROW(id)::text, 1, ROW(id, title, shelf, added, note)::text, ROW(id, title, shelf, added, NULL)::text,
           '{note}' FROM book;
    DROP TABLE entered"""
UPDATE = "UPDATE book SET note = note"


def measure(server: LocalServer, rows: int, say: Callable[[str], None]) -> Measurement:
    """Keep a value of each of many rows, and put it back.

    Args:
        server: LocalServer.
        rows: how many.
    """
    with _database(server) as connection:
        story = Deployment(connection, APPLY, ROLLBACK)
        story.execute(BEFORE.format(rows=rows))
        story.rehearse()
        story.deploy()
        story.execute(WRITE)
        story.execute("ANALYZE book")
        # Before, between and after: on a machine that others use the same work takes twice as long a moment later.
        copies = [_seconds(partial(story.execute, COPY))]
        keeping = _seconds(story.roll_back)
        say(f"kept {rows} rows")
        copies.append(_seconds(partial(story.execute, COPY)))
        returning = _seconds(story.deploy)
        copies.append(_seconds(partial(story.execute, COPY)))
        copying = median(copies)
        ((back,),) = story.ask("SELECT count(*) FROM book WHERE note = 'a note of a user on number ' || id")
        entering, updating = (_seconds(partial(story.execute, one)) for one in (ENTER, UPDATE))
    ratios = {"keeping them": keeping / copying, "putting them back": returning / copying}
    floors = {
        "entering them once, as text with what the migration makes of them,": entering / copying,
        "a plain UPDATE of the same rows": updating / copying,
    }
    notes = [
        f"{what} took {ratio:.1f} times as long as copying them twice"
        for what, ratio in {**ratios, **floors}.items()
    ]
    return Measurement(
        "values of rows kept and put back, each in the time of copying the rows twice with plain SQL",
        rows,
        back,
        rows,
        holds=max(ratios.values()) <= 1,
        notes=notes,
    )


def _seconds(work: Callable[[], Any]) -> float:
    begin = time.monotonic()
    work()
    return time.monotonic() - begin


@contextlib.contextmanager
def _database(server: LocalServer) -> Iterator[Any]:
    with contextlib.closing(server.connect()) as admin:
        admin.autocommit = True
        admin.cursor().execute(f"CREATE DATABASE {DATABASE}")
        try:
            # With the settings of every connection of ours.
            with contextlib.closing(connect(target(server, DATABASE))) as connection:
                yield connection
        finally:
            admin.cursor().execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")
