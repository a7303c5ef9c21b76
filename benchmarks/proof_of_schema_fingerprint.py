# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Random pairs of schemas, judged by the runbook's catalog and by pg_dump, and how often the two disagree."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from random import Random

from ansible_collections.pgops.runbook.plugins.module_utils.catalog.catalog import carried_by_dump
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.difference import Difference, difference
from ansible_collections.pgops.runbook.plugins.module_utils.shapes import Connection
from hypothesis import HealthCheck, Phase, given, seed, settings
from psycopg2 import sql

from benchmarks.measurement import Measurement, first_of
from demo.local_server import LocalServer
from tests.integration.catalog.schema_pairs import DATABASE, build, pair

__all__ = ["measure"]

WHAT = "pairs of schemas in which the catalog and pg_dump disagree"


def measure(
    server: LocalServer,
    pairs: int,
    chance: Random,
    say: Callable[[str], None],
    compare: Callable[[dict, dict], Difference] = difference,
) -> Measurement:
    """Build pairs of schemas and compare them both ways.

    Args:
        server: LocalServer.
        pairs: how many.
        compare: what says whether two catalogs differ.
    """
    apart = 0
    tried = 0
    disagreements: list[str] = []

    with _workplace(server) as connection:

        @seed(chance.getrandbits(64))
        @settings(
            max_examples=pairs,
            deadline=None,
            database=None,
            # Only generated: nothing is raised, so there is nothing to shrink.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(pair())
        def count(schemas: tuple[list[str], list[str], list[str]]) -> None:
            nonlocal apart, tried
            tried += 1
            of_first, of_second, candidates = schemas
            first, dump_of_first = build(server, connection, of_first, [])
            second, dump_of_second = build(server, connection, of_second, candidates)
            differs = bool(compare(carried_by_dump(first), carried_by_dump(second)))
            apart += dump_of_first != dump_of_second
            if differs != (dump_of_first != dump_of_second):
                who = "only the catalog" if differs else "only pg_dump"
                lines = sorted(set(dump_of_first) ^ set(dump_of_second))
                disagreements.append(f"{who} sees a difference: {' | '.join(lines)[:300]}")
            if tried % 50 == 0:
                say(f"{tried} pairs")

        count()
    notes = [f"{apart} pairs with different dumps, {tried - apart} with equal ones"]
    # A catalog that says the same of every pair would be right, if they were all of one kind.
    both_kinds = 0 < apart < tried
    if not both_kinds:
        notes.append("these are too few pairs: some of each kind are needed")
    notes += first_of(disagreements)
    return Measurement(WHAT, tried, len(disagreements), 0, holds=tried >= pairs and both_kinds, notes=notes)


@contextlib.contextmanager
def _workplace(server: LocalServer) -> Iterator[Connection]:
    name = sql.Identifier(DATABASE)
    with contextlib.closing(server.connect("postgres")) as outside:
        outside.autocommit = True
        with outside.cursor() as cursor:
            cursor.execute(sql.SQL("CREATE DATABASE {}").format(name))
            try:
                with contextlib.closing(server.connect(DATABASE)) as inside:
                    inside.autocommit = True
                    yield inside
            finally:
                cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
