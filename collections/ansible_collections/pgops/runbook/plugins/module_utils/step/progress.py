# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Telling the controller how far a long step is: a line of JSON a second, in a file that it reads meanwhile.

The counters are real ones: what the step itself counts (activity.py), and what the server says of its sessions in
``pg_stat_progress_*`` (manual, "Progress Reporting"), and of those that wait for them.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import threading
from collections.abc import Iterator

from ..activity import doing
from ..errors import RunbookError
from ..postgres.connection import connect, psycopg2
from ..shapes import Connection, Json, Target

__all__ = ["progress_told"]

SECONDS_BETWEEN: float = 1

# As the controller calls them (plugin_utils/run/module_of_steps.py).
NAME = re.compile(r"\.pgops-runbook-progress-[0-9a-f]{32}")

# Sessions of the runbook, and of the programs that it starts, in any database: a copy has a name of its own.
OURS = "application_name IN ('pgops.runbook', 'pg_dump', 'pg_restore')"

BUILDING = f"""
    SELECT pg_catalog.format('%s %s', p.command, p.phase),
           CASE WHEN p.blocks_total > 0 THEN 100 * p.blocks_done / p.blocks_total END
    FROM pg_catalog.pg_stat_progress_create_index AS p
    JOIN pg_catalog.pg_stat_activity AS a ON a.pid = p.pid AND a.{OURS}
    UNION ALL
    SELECT pg_catalog.format('%s: %s', p.command, p.phase),
           CASE WHEN p.heap_blks_total > 0 THEN 100 * p.heap_blks_scanned / p.heap_blks_total END
    FROM pg_catalog.pg_stat_progress_cluster AS p
    JOIN pg_catalog.pg_stat_activity AS a ON a.pid = p.pid AND a.{OURS}
    LIMIT 1"""

COPYING = f"""
    SELECT coalesce(sum(p.tuples_processed), 0)::bigint
    FROM pg_catalog.pg_stat_progress_copy AS p
    JOIN pg_catalog.pg_stat_activity AS a ON a.pid = p.pid AND a.{OURS}"""

WAITING = f"""
    SELECT count(*) FROM pg_catalog.pg_stat_activity AS waiting
    WHERE waiting.wait_event_type = 'Lock' AND NOT coalesce(waiting.{OURS}, false)
      AND EXISTS (SELECT FROM pg_catalog.pg_stat_activity AS a
                  WHERE a.pid = ANY (pg_catalog.pg_blocking_pids(waiting.pid)) AND a.{OURS})"""


@contextlib.contextmanager
def progress_told(path: str, target: Target, looks: bool = True) -> Iterator[None]:
    """Write a line now and then while what is inside works; the file is gone afterwards.

    Args:
        path: of a file that does not exist yet: one that is there, or a link, is not written to. Nothing is written
            where it is empty, nor before the first second is over.
        target: connection options, for a session that looks at the others.
        looks: whether there is to be one.

    Raises:
        FileExistsError: there is such a file.
    """
    if not path:
        yield
        return
    ended = threading.Event()
    # Before anything is done: a file that is planted must not be found in the middle of the work.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    _remove_those_of_killed_steps(path)
    thread = threading.Thread(target=_tell, args=(descriptor, target, ended, looks), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        os.close(descriptor)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _remove_those_of_killed_steps(path: str) -> None:
    """Remove files of the same kind beside this one whose process is gone: a living one holds a lock on its own."""
    folder, name = os.path.split(path)
    if not NAME.fullmatch(name):
        return
    for other in filter(NAME.fullmatch, os.listdir(folder)):
        with contextlib.suppress(OSError):  # one that a living process has locked, or gone by now
            _remove_left(os.path.join(folder, other))


def _remove_left(path: str) -> None:
    """
    Raises:
        OSError: it may not be opened, or somebody has locked it.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.fstat(descriptor).st_uid == os.geteuid():
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(path)
    finally:
        os.close(descriptor)


def _tell(descriptor: int, target: Target, ended: threading.Event, looks: bool) -> None:
    with _Onlooker(target) as onlooker:
        while not ended.wait(SECONDS_BETWEEN):
            # Nothing depends on it, and the step itself finds what is wrong.
            progress: Json = {}
            with contextlib.suppress(RunbookError, psycopg2.Error):
                progress = onlooker.look() if looks else {}
            with contextlib.suppress(OSError):
                os.write(descriptor, (json.dumps({**doing(), **progress}) + "\n").encode())


class _Onlooker:
    """A session that looks at the others, made when it is first needed."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._connection: Connection | None = None

    def __enter__(self) -> _Onlooker:
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.close()

    def look(self) -> Json:
        """What the server says: server (what it builds), percent, rows_copied, waiting (sessions behind ours)."""
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._target, patience=0)
            self._connection.autocommit = True
        progress: Json = {}
        with self._connection.cursor() as cursor:
            cursor.execute(BUILDING)
            for command, percent in cursor.fetchall():
                progress.update({"server": command, "percent": None if percent is None else int(percent)})
            cursor.execute(COPYING)
            progress["rows_copied"] = cursor.fetchall()[0][0]
            cursor.execute(WAITING)
            progress["waiting"] = cursor.fetchall()[0][0]
        return progress
