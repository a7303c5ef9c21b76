# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Databases with the MIDI library at its stages."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from demo.local_server import LocalServer
from tests.integration.sql.midi_library import Databases


@pytest.fixture(scope="session")
def databases(server: LocalServer) -> Iterator[Any]:
    """The stages of the library and copies of them."""
    made = Databases(server)
    yield made
    made.drop_all()


@pytest.fixture
def copy(databases: Any) -> Iterator[Any]:
    """A function that gives a copy of a database, dropped after the test."""
    with contextlib.ExitStack() as stack:
        yield lambda template: stack.enter_context(databases.copy(template))
