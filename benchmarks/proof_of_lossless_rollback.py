# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Random migrations deployed, written to, rolled back and deployed again: is every row there as it was?"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from random import Random

from ansible_collections.pgops.runbook.plugins.module_utils.shapes import Connection
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from benchmarks.measurement import Measurement, first_of
from demo.local_server import LocalServer
from tests.integration.salvage.deployment import Deployment
from tests.integration.salvage.one_by_one import story_of
from tests.integration.salvage.random_migrations import SCHEMA, RandomMigration, migrations, write_at_random

__all__ = ["measure"]

WHAT = "random migrations rolled back under users' rows and deployed again, with every row as it was"
DATABASE = "lossless"
WRITES_BEFORE, WRITES_AFTER = 40, 30


def measure(
    server: LocalServer,
    wanted: int,
    chance: Random,
    say: Callable[[str], None],
    deployment: type[Deployment] = Deployment,
) -> Measurement:
    """Try random migrations.

    Args:
        server: LocalServer.
        wanted: how many.
        deployment: what deploys and rolls back.
    """
    tried = kept = at_stake = writes = one_by_one = 0
    lost: list[str] = []

    @seed(chance.getrandbits(64))
    @settings(
        max_examples=wanted,
        deadline=None,
        database=None,
        # Only generated: nothing is raised, so there is nothing to shrink.
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(migrations(), st.integers(0, 2**32))
    def count(migration: RandomMigration, number: int) -> None:
        nonlocal tried, kept, at_stake, writes, one_by_one
        tried += 1
        users = Random(number)  # noqa: S311 - to be repeatable, not secret
        with _database(server) as connection:
            story = story_of(connection, migration, deployment)
            one_by_one += migration.one_by_one
            story.execute(SCHEMA)
            write_at_random(connection, users, WRITES_BEFORE)

            def write() -> None:
                nonlocal writes
                writes += write_at_random(connection, users, WRITES_AFTER)

            try:
                items = story.round_trip_loses_nothing(write)
                kept += sum(item["rows"] for item in items)
                at_stake += bool(items)
            except AssertionError as problem:
                lost.append(f"{migration.apply} | {migration.rollback}: {problem}"[:600])
        if tried % 25 == 0:
            say(f"{tried} migrations")

    count()
    notes = [
        f"{writes} statements of users had their way in between; {kept} rows were kept, in {at_stake} of them;"
        f" {one_by_one} were rolled back statement by statement"
    ]
    # If nothing was ever at stake, then nothing could be lost.
    enough = at_stake * 2 > tried >= wanted
    return Measurement(WHAT, tried, tried - len(lost), tried, holds=enough, notes=[*notes, *first_of(lost)])


@contextlib.contextmanager
def _database(server: LocalServer) -> Iterator[Connection]:
    with contextlib.closing(server.connect("postgres")) as outside:
        outside.autocommit = True
        with outside.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {DATABASE}")
            try:
                with contextlib.closing(server.connect(DATABASE)) as inside:
                    yield inside
            finally:
                cursor.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")
