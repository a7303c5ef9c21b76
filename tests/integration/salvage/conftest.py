# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A small library to migrate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.salvage.deployment import Deployment

LIBRARY = """
    CREATE TABLE book (id serial PRIMARY KEY, title text NOT NULL UNIQUE, shelf int DEFAULT 1);
    INSERT INTO book (title, shelf) VALUES ('one', 1), ('zwei', 2), ('trois, "3"', NULL), ('', 4);
    CREATE TABLE note (body text, at int);
    INSERT INTO note VALUES ('a', 1), ('a', 1), (NULL, 2), ('b', NULL);
"""


@pytest.fixture
def deployment(connection: Any) -> Callable[[str, str], Deployment]:
    """Make a deployment on the library."""
    with connection.cursor() as cursor:
        cursor.execute(LIBRARY)
    connection.commit()

    def deployment(apply: str, rollback: str) -> Deployment:
        return Deployment(connection, apply, rollback)

    return deployment
