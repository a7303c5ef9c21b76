# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Answers that always have a row, and what is said where one has none."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.answers import one_row
from ansible_collections.pgops.runbook.plugins.module_utils.shapes import Connection


def test_the_next_row(connection: Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1, NULL UNION ALL SELECT 2, 'b' ORDER BY 1")
        assert (one_row(cursor), one_row(cursor)) == ((1, None), (2, "b"))
        with pytest.raises(LookupError):
            one_row(cursor)
