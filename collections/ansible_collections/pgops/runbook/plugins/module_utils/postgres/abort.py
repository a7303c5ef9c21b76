# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A watch beside a change of production that ends it where it gets in the way: of other sessions, or of a standby.

It looks from a session of its own. While the change may be undone, it cancels the statement that is at work; what was
sent before the change is told to go on to COMMIT reaches no later statement, since a cancel that comes while the server
waits for one is no more than dropped (postgres.c, PostgresMain).
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple, Optional

from ..errors import Refused, RunbookError, StepFailed
from ..sentences import cut, listed
from ..shapes import Connection, Cursor, Json, Target
from .connection import connect, psycopg2
from .message import one_line
from .pooler import backend_pid
from .standbys import read_standbys
from .watch import Watch

__all__ = ["ABORT_SPEC", "AbortPolicy", "AbortWatch", "sessions_behind"]

LOOK_EVERY_SECONDS: float = 0.5
CONNECT_AGAIN_SECONDS: float = 2

#: Of its own statements, so that a step does not wait for a watch that hangs.
OWN_LIMIT = "5s"

MEGABYTE = 2**20

#: Options of the steps that change production.
ABORT_SPEC: Json = {
    "abort_blocked_sessions": {"type": "int", "default": 0},
    "abort_blocked_seconds": {"type": "float", "default": 1},
    "abort_replica_lag_mb": {"type": "float", "default": 0},
}

# pg_locks tells everybody who waits, where pg_stat_activity hides it of other roles' sessions. Who waits behind a lock
# that we only ask for is blocked by us, too (manual, pg_blocking_pids). Our own sessions wait for the run's lock.
WAITING = """
    SELECT w.pid, pg_catalog.pg_blocking_pids(w.pid), a.usename, a.application_name, w.tables, left(a.query, 200)
    FROM (SELECT l.pid, string_agg(DISTINCT l.relation::pg_catalog.regclass::text, ', ') AS tables
          FROM pg_catalog.pg_locks AS l WHERE NOT l.granted GROUP BY l.pid) AS w
    JOIN pg_catalog.pg_stat_activity AS a ON a.pid = w.pid
    WHERE a.application_name IS DISTINCT FROM 'pgops.runbook' ORDER BY w.pid"""


class AbortPolicy(NamedTuple):
    """When a change of production is ended; 0 is never.

    Attributes:
        sessions: so many that wait behind it.
        seconds: for so long, without a pause.
        lag_mb: MB of WAL that a connected standby is behind, for as long.
    """

    sessions: int = 0
    seconds: float = 1
    lag_mb: float = 0

    @classmethod
    def from_params(cls, params: Json) -> AbortPolicy:
        """The policy that a module's parameters give (see ABORT_SPEC).

        Raises:
            Refused: a value is below zero.
        """
        values = {name: params[name] for name in ABORT_SPEC}
        for name, value in values.items():
            if value < 0:
                raise Refused("setting_invalid", f"{name} must not be below 0, which switches it off.")
        return cls(*values.values())

    def looks(self) -> bool:
        return self.sessions > 0 or self.lag_mb > 0


class _Waiting(NamedTuple):
    pid: int
    blocked_by: list[int]
    user: Optional[str]
    application: Optional[str]
    tables: Optional[str]
    query: Optional[str]

    def sentence(self) -> str:
        where = f" for {self.tables}" if self.tables else ""
        who = f"pid {self.pid} (user {self.user}, application {self.application or 'unnamed'}) waited{where}"
        return f"{who}: {' '.join((self.query or '').split())}"


def sessions_behind(cursor: Cursor, pid: int) -> dict[int, str]:
    """Sessions that wait for a backend, or for one that waits for it, and so on: pid -> who it is, for a person."""
    cursor.execute(WAITING)
    waiting = [_Waiting(*row) for row in cursor.fetchall()]
    behind: dict[int, str] = {}
    found = {pid}
    while found:
        found = {one.pid for one in waiting if one.pid not in behind and found & {*one.blocked_by}} - {pid}
        behind.update({one.pid: one.sentence() for one in waiting if one.pid in found})
    return behind


class AbortWatch(Watch):
    """Watches over what is ``armed``, while this is entered; a context manager that may be entered again.

    Args:
        target: connection options.
        policy: AbortPolicy; where it never ends anything there is no thread and no session.
    """

    def __init__(self, target: Target, policy: AbortPolicy) -> None:
        super().__init__()
        self.target = target
        self.policy = policy
        self._lock = threading.Lock()  # of the four below
        self._pid: int | None = None  # of the backend that may be cancelled
        self._why: StepFailed | None = None
        self._since: dict[str, float] = {}
        self._trouble = ""

    def _looks(self) -> bool:
        return self.policy.looks()

    def said(self) -> list[str]:
        """A sentence where the watch itself had trouble, which is no reason to end a change."""
        with self._lock:
            trouble, self._trouble = self._trouble, ""
        return [UNWATCHED.format(trouble.rstrip("."))] if trouble else []

    @contextlib.contextmanager
    def armed(self, connection: Connection, undone: bool = True) -> Iterator[None]:
        """Inside, what the connection's session does may be cancelled.

        Args:
            connection: outside of a transaction.
            undone: whether what is inside is undone where this raises; else what has succeeded has.

        Raises:
            StepFailed: it was in the way, and was cancelled.
        """
        if self._thread is None:
            yield
            return
        self._arm(backend_pid(connection))
        try:
            yield
        except (RunbookError, psycopg2.Error):
            why = self._disarm()
            if why is not None and not connection.closed:
                raise why from None
            raise
        finally:
            why = self._disarm()
        if undone and why is not None:
            raise why

    def _arm(self, pid: int) -> None:
        with self._lock:
            self._pid, self._why, self._since = pid, None, {}

    def _disarm(self) -> StepFailed | None:
        """When this returns nothing is cancelled any more; why something was, or would have been."""
        with self._lock:
            self._pid = None
            return self._why

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                self._look_until_stopped()
            except (RunbookError, psycopg2.Error) as error:
                said = error.reason if isinstance(error, RunbookError) else one_line(error)
                with self._lock:
                    self._trouble = said
                self._stop.wait(CONNECT_AGAIN_SECONDS)

    def _look_until_stopped(self) -> None:
        with contextlib.closing(connect(self.target, patience=0)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_catalog.set_config('statement_timeout', %s, false)", (OWN_LIMIT,))
                while not self._stop.wait(LOOK_EVERY_SECONDS):
                    self._look(cursor)

    def _look(self, cursor: Cursor) -> None:
        with self._lock:
            pid = self._pid
        if pid is None:
            return
        why = self._too_long_behind(cursor, pid) or self._too_far_behind(cursor)
        with self._lock:
            if self._pid != pid:
                return  # it has ended meanwhile
            self._why = self._why or why
            if self._why is not None:
                # Again at each look: one that comes between two statements reaches neither.
                cursor.execute("SELECT pg_catalog.pg_cancel_backend(%s)", (pid,))

    def _too_long_behind(self, cursor: Cursor, pid: int) -> StepFailed | None:
        if self.policy.sessions <= 0:
            return None
        behind = sessions_behind(cursor, pid)
        lasting = self._lasting("session ", {str(one): text for one, text in behind.items()})
        if len(lasting) < self.policy.sessions:
            return None
        return StepFailed(
            "aborted_for_blocked_sessions",
            f"{len(lasting)} {'session' if len(lasting) == 1 else 'sessions'} waited behind this change for"
            f" {self.policy.seconds:g} s or longer, and abort_blocked_sessions is {self.policy.sessions}: its statement"
            f" was cancelled. {listed(lasting)}. Run again at a quieter time, or for this run with a greater"
            " abort_blocked_sessions",
            blocked=cut(lasting),
        )

    def _too_far_behind(self, cursor: Cursor) -> StepFailed | None:
        if self.policy.lag_mb <= 0:
            return None
        late = {
            one.name: f"{one.name} is {(one.behind or 0) / MEGABYTE:.1f} MB of WAL behind"
            for one in read_standbys(cursor)
            if (one.behind or 0) > self.policy.lag_mb * MEGABYTE
        }
        lasting = self._lasting("standby ", late)
        if not lasting:
            return None
        return StepFailed(
            "aborted_for_replica_lag",
            f"a standby was further behind than abort_replica_lag_mb ({self.policy.lag_mb:g}) for"
            f" {self.policy.seconds:g} s or longer: its statement was cancelled. {listed(lasting)}. Run again when it"
            " has caught up (pg_stat_replication shows it), or write the migration so that it writes less at a time",
            standbys=cut(lasting),
        )

    def _lasting(self, kind: str, seen: Mapping[str, str]) -> list[str]:
        """Of what is seen now, what was seen at each look for long enough."""
        now = time.monotonic()
        with self._lock:
            others = {key: since for key, since in self._since.items() if not key.startswith(kind)}
            mine = {f"{kind}{key}": self._since.get(f"{kind}{key}", now) for key in seen}
            self._since = {**others, **mine}
        return [text for key, text in seen.items() if now - mine[f"{kind}{key}"] >= self.policy.seconds]


UNWATCHED = (
    "The watch that ends a change where it gets in the way (abort_blocked_sessions, abort_replica_lag_mb) did not work,"
    " or not all the time: {}. The change went on without it meanwhile"
)
