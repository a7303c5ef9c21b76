# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""An application that is sent away and comes back: it remembers what the server has confirmed."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg2
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.answers import one_row
from ansible_collections.pgops.runbook.plugins.module_utils.shapes import Cursor

from demo.local_server import LocalServer

__all__ = ["Writer", "reconnecting_writers"]

INSERT = """
    INSERT INTO files (filename, filepath, original_filename, content_hash, file_size_bytes)
    VALUES (%(name)s, '/written/' || %(name)s, %(name)s, sha256(%(name)s::bytea), 1) RETURNING id"""
UPDATE = "UPDATE files SET manufacturer = %(name)s WHERE id = %(id)s"


@dataclass
class Writer:
    """One session, opened again whenever it is lost.

    Attributes:
        confirmed: id -> value of manufacturer, of every row whose write the server has confirmed.
        doubtful: ids whose last write was sent and not answered; both its values may be there.
        sent_away: how often the session was lost or refused.
        writes: confirmed statements.
    """

    number: int
    confirmed: dict[int, str | None] = field(default_factory=dict)
    doubtful: dict[int, str | None] = field(default_factory=dict)
    sent_away: int = 0
    writes: int = 0

    def run(self, server: LocalServer, database: str, stop: threading.Event, pause: float) -> None:
        while not stop.is_set():
            try:
                with contextlib.closing(server.connect(database)) as connection:
                    connection.autocommit = True
                    with connection.cursor() as cursor:
                        while not stop.is_set():
                            self._write(cursor)
                            time.sleep(pause)
            except psycopg2.OperationalError:
                self.sent_away += 1
                time.sleep(0.01)

    def _write(self, cursor: Cursor) -> None:
        name = f"{self.number}-{self.writes}.mid"
        cursor.execute(INSERT, {"name": name})
        row = one_row(cursor)[0]
        self.confirmed[row] = None
        self.writes += 1
        for changed in (row, next(iter(self.confirmed))):
            self.doubtful[changed] = name
            cursor.execute(UPDATE, {"name": name, "id": changed})
            self.confirmed[changed] = name
            del self.doubtful[changed]
            self.writes += 1

    def lost(self, found: dict[int, str | None]) -> list[int]:
        """Ids of confirmed rows that are not among ``found`` (id -> manufacturer), or have another value."""
        return [
            row
            for row, value in self.confirmed.items()
            if row not in found or found[row] not in (value, self.doubtful.get(row, value))
        ]


@contextlib.contextmanager
def reconnecting_writers(
    server: LocalServer, database: str, number: int = 2, pause: float = 0.0
) -> Iterator[list[Writer]]:
    """Write until the end of the block.

    Args:
        server: LocalServer.
        database: with the library; whatever has that name at the moment.
        number: of sessions.
        pause: seconds that each rests after three statements.
    """
    stop = threading.Event()
    writers = [Writer(n) for n in range(number)]
    threads = [
        threading.Thread(target=writer.run, args=(server, database, stop, pause)) for writer in writers
    ]
    for thread in threads:
        thread.start()
    try:
        yield writers
    finally:
        stop.set()
        for thread in threads:
            thread.join()
