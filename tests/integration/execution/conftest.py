# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A table for statements that commit one by one."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.ledger import Ledger
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import (
    transaction,
)


@pytest.fixture
def table(connection: Any) -> Any:
    with transaction(connection) as cursor:
        cursor.execute("CREATE TABLE item (id int PRIMARY KEY, name text)")
        cursor.execute("INSERT INTO item SELECT i, 'name ' || i FROM generate_series(1, 1000) i")
        Ledger().create(cursor)
    return connection
