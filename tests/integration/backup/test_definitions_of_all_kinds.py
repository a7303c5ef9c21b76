# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Schemas with every kind of object: a sound backup of them is proven, and a true difference is seen."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.strangers import Stranger, guests, missing, proven, read_strangers
from demo.local_server import LocalServer

STRANGERS = read_strangers()


@pytest.fixture(scope="module")
def with_guests(server: LocalServer) -> Iterator[LocalServer]:
    with guests(server):
        yield server


@pytest.mark.parametrize("stranger", STRANGERS, ids=lambda one: one.name)
def test_a_sound_backup_is_proven_and_each_fault_is_seen(
    with_guests: LocalServer, stranger: Stranger, tmp_path: Path
) -> None:
    with contextlib.closing(with_guests.connect("postgres")) as connection, connection.cursor() as cursor:
        lacks = missing(stranger, cursor)
    if lacks:
        pytest.skip(f"the server has no {lacks}")
    found = proven(with_guests, stranger, tmp_path)
    assert found.refused is None
    assert not found.unseen


def test_each_schema_plants_a_difference_of_its_own() -> None:
    assert len(STRANGERS) > 60
    assert [one.name for one in STRANGERS if not one.faults] == []
