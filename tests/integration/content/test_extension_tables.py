# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tables that belong to an extension, and what a restored database has of them."""

from __future__ import annotations

from typing import Any

from ansible_collections.pgops.runbook.plugins.module_utils.content.extension_tables import (
    content_not_dumped,
    not_brought_back,
)


def test_rows_that_the_extension_brings_itself_are_not_lost(connection: Any) -> None:
    """What CREATE EXTENSION fills again, with the same rows, is as good as saved."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE EXTENSION hstore; CREATE TABLE words (w text); INSERT INTO words VALUES ('a'), ('b')"
        )
        cursor.execute("ALTER EXTENSION hstore ADD TABLE words")
        expected = content_not_dumped(cursor)
        assert list(expected) == ["public.words"]
        assert not_brought_back(expected, cursor) == []
        cursor.execute("UPDATE words SET w = 'c' WHERE w = 'b'")
        assert not_brought_back(expected, cursor) == [
            {"table": "public.words", "extension": "hstore", "rows": 2, "rows_in_copy": 2}
        ]
