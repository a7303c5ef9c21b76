# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The WAL that a session wrote, full-page images apart.

After a checkpoint the first change of each page puts the whole page into the WAL, so that the same migration may
write twenty times as much as a minute later: a matter of when it runs, not of what it does.
"""

from __future__ import annotations

from typing import Any

from ..postgres.answers import one_row
from ..postgres.connection import psycopg2, transaction
from ..shapes import Connection

__all__ = ["SessionWal"]

# PostgreSQL 18 counts WAL for each backend (release notes, E.4.3.1.4 "Monitoring"); those before count it for the
# whole server, where the application's share cannot be taken out.
FIRST_VERSION = 180000

# Counters become visible when a transaction has ended, and then at most once a second unless forced.
FORCE = "SELECT pg_catalog.pg_stat_force_next_flush()"
READ = """
    SELECT wal_bytes::bigint, wal_records, wal_fpi, current_setting('block_size')::int
    FROM pg_catalog.pg_stat_get_backend_wal(pg_catalog.pg_backend_pid())"""


class SessionWal:
    """Counts from its making on what the session writes; both must be asked outside of a transaction.

    Args:
        connection: idle.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._begin = self._read()

    def _read(self) -> tuple[Any, ...] | None:
        if self._connection.server_version < FIRST_VERSION:
            return None
        with transaction(self._connection) as cursor:
            cursor.execute(FORCE)
        with transaction(self._connection) as cursor:
            cursor.execute(READ)
            return one_row(cursor)

    def written(self) -> dict[str, int] | None:
        """What was written since.

        Returns:
            dict: bytes (all), records and full_page_images (numbers; that of records does not depend on
            checkpoints), bytes_without_images (at the least: an image has as many bytes as a block, or fewer
            where the block has a gap). None before PostgreSQL 18, and when the session has ended.
        """
        if self._begin is None or self._connection.closed:
            return None
        try:
            figures = self._read()
        except psycopg2.OperationalError:
            return None  # what is measured is committed; whoever needs the connection next will say that it is lost
        if figures is None:
            return None
        *now, block = figures
        written, records, images = (end - begin for begin, end in zip(self._begin, now))
        return {
            "bytes": written,
            "records": records,
            "full_page_images": images,
            "bytes_without_images": max(0, written - images * block),
        }
