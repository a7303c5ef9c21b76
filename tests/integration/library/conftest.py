# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What tests of files on disk share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo.local_server import LocalServer
from tests.fresh_database import fresh_database


@pytest.fixture(scope="module")
def one_database(server: LocalServer) -> Iterator[str]:
    """One database for all tests of a file: making one takes longer than most of them."""
    with fresh_database(server) as name:
        yield name
