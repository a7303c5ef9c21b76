# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whatever a migration does and users write: deploy, writes, rollback, deploy gives what deploy, writes gave."""

from __future__ import annotations

import contextlib
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from demo.local_server import LocalServer
from tests.integration.salvage.one_by_one import story_of
from tests.integration.salvage.random_migrations import SCHEMA, RandomMigration, migrations, write_at_random


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(migrations(), st.randoms(use_true_random=False))
def test_nothing_is_lost(server: LocalServer, migration: RandomMigration, chance: Random) -> None:
    with contextlib.closing(server.connect("postgres")) as outside:
        outside.autocommit = True
        with outside.cursor() as cursor:
            cursor.execute("CREATE DATABASE random_migration")
            try:
                with contextlib.closing(server.connect("random_migration")) as connection:
                    story = story_of(connection, migration)
                    story.execute(SCHEMA)
                    write_at_random(connection, chance, 40)
                    story.round_trip_loses_nothing(lambda: write_at_random(connection, chance, 30))
            finally:
                cursor.execute("DROP DATABASE random_migration WITH (FORCE)")
