# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Two databases change names: the application is kept out, everything is brought along, then one transaction.

ALTER DATABASE ... RENAME may stand in a transaction (it changes a row of pg_database), and so may the settings and the
comment. Killed anywhere, there are the old names or the new ones. What needs care is the time before: to hold the
application off has to be committed to have an effect.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection
from types import TracebackType
from typing import TypeVar

from ..errors import Refused, StepFailed, Unchanged
from ..ledger.aftermath import replaced_name
from ..postgres.blockers import BlockerWatch
from ..postgres.connection import psycopg2, sql
from ..postgres.lock_waits import LockPolicy, waiting_at_most
from ..postgres.maintenance import allow_connections, connect_maintenance, swap_mark, take_swap_lock
from ..postgres.message import one_line
from ..postgres.pooler import backend_pid
from ..postgres.standbys import commit_without_standbys
from ..shapes import Connection, Cursor, Json, Target
from .properties import carry_properties, read_properties

__all__ = ["DatabaseSwap"]

# How long sessions that were told to end may take.
END_SECONDS = 20

# How long letting the application in again waits for others: longer than what goes before it, since people wait for it.
LET_IN = LockPolicy(timeout_seconds=5, attempts=60, pause_seconds=1)

THEN = "Run again when that session has ended."

T = TypeVar("T")


class DatabaseSwap:
    """The swap of the live database with the restored one; a context manager.

    Leaving it before ``rename`` has succeeded lets the application in again.

    Args:
        target: connection options of the live database.
        run_id: of the restore.
        source: run whose backup was restored.
        restored: name of the restored database.
        restored_oid: its OID, by which it is known after the renaming.
        policy: how long to wait for transactions that have touched one of the databases.

    Attributes:
        standbys: sentences where one did not confirm what was committed.
    """

    _connection: Connection  # from __enter__ on

    def __init__(
        self,
        target: Target,
        run_id: str,
        source: str,
        restored: str,
        restored_oid: int,
        policy: LockPolicy | None = None,
    ) -> None:
        self.target = target
        self.policy = LockPolicy() if policy is None else policy
        self.standbys: list[str] = []
        self.database = target["login_db"]
        self.run_id = run_id
        self.source = source
        self.restored = restored
        self.restored_oid = restored_oid
        self.replaced = replaced_name(self.database, run_id)
        self._held_since: float | None = None
        self._done = False
        # What the live database has besides its rows, and what of it only a superuser may set.
        self._live: Json = {}
        self._not_carried: list[str] = []

    def __enter__(self) -> DatabaseSwap:
        self._connection = connect_maintenance(self.target)
        try:
            with self._connection.cursor() as cursor:
                take_swap_lock(cursor, self.database)
                cursor.execute("SELECT FROM pg_catalog.pg_database WHERE datname = %s", (self.replaced,))
                if cursor.fetchone() is not None:
                    raise Refused(
                        "replaced_database_exists",
                        f"There is already a database {self.replaced}, the name that the replaced one would get."
                        " Nothing was swapped. Rename or drop it, and run again.",
                    )
            mark = swap_mark(self.database, self.run_id, self.source)
            self._waiting(lambda cursor: self._comment(cursor, self.restored, mark))
        except StepFailed as error:
            self._connection.close()
            raise Unchanged(
                error.code,
                f"The databases were not touched, so nothing was swapped: {error.reason}",
                **error.details,
            ) from None
        except BaseException:
            self._connection.close()
            raise
        return self

    def _waiting(self, work: Callable[[Cursor], T], policy: LockPolicy | None = None, then: str = THEN) -> T:
        """What ``work`` returns, which waits no longer than the policy has it; it is undone where it fails.

        Raises:
            StepFailed: it did not get its locks; with who has them.
        """

        def attempt() -> T:
            try:
                with self._connection.cursor() as cursor:
                    done = work(cursor)
                self._connection.commit()
                return done
            except BaseException:
                if not self._connection.closed:
                    self._connection.rollback()
                raise

        return waiting_at_most(
            self._connection, self._beside(), policy or self.policy, attempt, then, self.standbys.append
        )

    def watch(self, connection: Connection) -> BlockerWatch:
        """Sees who keeps a connection of ours waiting."""
        return BlockerWatch(self._beside(), backend_pid(connection))

    def _beside(self) -> Target:
        """From where others can be seen: the target's own database may let nobody in."""
        return {**self.target, "login_db": self._connection.info.dbname}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._held_since is not None and not self._done:
                self._let_in(error)
        finally:
            self._connection.close()

    def held_off_seconds(self) -> float:
        """For how long nobody has been let in."""
        return 0.0 if self._held_since is None else round(time.monotonic() - self._held_since, 3)

    def _let_in(self, cause: BaseException | None) -> None:
        if self._connection.closed:
            self._connection = connect_maintenance(self.target)
        elif not self._connection.autocommit:
            self._connection.rollback()
            self._connection.autocommit = True
        with self._connection.cursor() as cursor:
            # Nothing was swapped, and nobody is to be kept out because a standby is missing.
            commit_without_standbys(cursor)
        try:
            self._waiting(
                lambda cursor: allow_connections(cursor, self.database, True),
                LET_IN,
                "No row is lost. When that session has ended, this lets everybody in:"
                " ansible-playbook playbooks/status.yml",
            )
        except StepFailed as error:
            raise StepFailed(
                "application_not_let_in",
                f"Database {self.database} lets nobody in: nothing was swapped, and the application could not be let in"
                f" again. {error.reason}",
                **{**error.details, "cause": str(cause)},
            ) from None
        # Shut just before the renaming; whoever takes this step once more has to get in.
        with contextlib.suppress(StepFailed):
            self._waiting(lambda cursor: allow_connections(cursor, self.restored, True))

    @staticmethod
    def _comment(cursor: Cursor, database: str, text: str | None) -> None:
        cursor.execute(
            sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(database), sql.Literal(text))
        )

    # The application ------------------------------------------------------------------------------------

    def hold_off(self, own_pids: Collection[int]) -> None:
        """Let nobody in any more and end all sessions but ours; when it returns, nobody writes.

        Args:
            own_pids: backends that read the live database for us.

        Raises:
            Unchanged: a session does not end, or may not be ended by our role; or another transaction keeps us waiting.
        """
        self._held_since = time.monotonic()
        try:
            self._shut(self.database)
        except StepFailed as error:
            self._held_since = None
            raise Unchanged(
                error.code,
                "The application could not be kept out, and it was not: nothing was swapped, and nothing was changed."
                f" {error.reason}",
                **error.details,
            ) from None
        self._clear(self.database, own_pids)

    def _shut(self, database: str) -> None:
        self._waiting(lambda cursor: allow_connections(cursor, database, False))

    def _clear(self, database: str, own_pids: Collection[int] = ()) -> None:
        deadline = time.monotonic() + END_SECONDS
        with self._connection.cursor() as cursor:
            while True:
                sessions = self._others(cursor, database, own_pids)
                if not sessions:
                    return
                refused = [text for pid, text in sessions.items() if not self._end(cursor, pid)]
                if refused or time.monotonic() >= deadline:
                    what = (
                        "may not be ended by this role" if refused else f"did not end within {END_SECONDS} s"
                    )
                    raise Unchanged(
                        "application_not_held_off",
                        f"The application could not be kept out, so nothing was swapped and it was let in again:"
                        f" {'; '.join(refused or sessions.values())} {what}. Stop it, and run again.",
                    )
                time.sleep(0.05)

    @staticmethod
    def _others(cursor: Cursor, database: str, own_pids: Collection[int]) -> dict[int, str]:
        """pid -> description of who is in the database, or on the way into it.

        A session that was let in before the door was shut holds a lock on the database until it is listed among the
        sessions (InitPostgres); so locks are looked at first. One that is listed with another database works on this
        one's row, and is none of the application's: it is left alone. Workers of autovacuum, which have no user,
        write nothing of the application's and make way for the renaming. (Their type is not shown to every role.)
        """
        cursor.execute(
            "SELECT l.pid FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_database d ON d.oid = l.objid"
            " LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid"
            " WHERE a.datid IS NULL"
            " AND l.locktype = 'object' AND l.classid = 'pg_catalog.pg_database'::regclass AND d.datname = %s"
            " AND l.pid <> pg_catalog.pg_backend_pid()",
            (database,),
        )
        sessions = {pid: f"pid {pid}, which is connecting" for (pid,) in cursor.fetchall()}
        cursor.execute(
            "SELECT pid, coalesce(usename::text, 'dropped'), coalesce(nullif(application_name, ''), 'unnamed')"
            " FROM pg_catalog.pg_stat_activity WHERE datname = %s AND usesysid IS NOT NULL",
            (database,),
        )
        sessions.update(
            {pid: f"pid {pid} (user {user}, application {name})" for pid, user, name in cursor.fetchall()}
        )
        return {pid: text for pid, text in sessions.items() if pid not in own_pids}

    @staticmethod
    def _end(cursor: Cursor, pid: int) -> bool:
        try:
            cursor.execute("SELECT pg_catalog.pg_terminate_backend(%s)", (pid,))
        except psycopg2.errors.InsufficientPrivilege:
            return False
        return True

    # The names ------------------------------------------------------------------------------------------

    def rename(self) -> Json:
        """Swap the names and let the application in, to the restored database.

        No session of ours may be in either of the databases.

        Returns:
            dict: replaced (its name), replaced_oid, not_carried (statements that only a superuser may type).

        Raises:
            Unchanged: the names are as they were.
        """
        try:
            # A monitoring program may look into every database.
            self._shut(self.restored)
            self._clear(self.restored)
            self._connection.autocommit = False
            self._waiting(self._rename)
        except StepFailed as error:
            raise Unchanged(
                error.code,
                "The databases could not be renamed, so nothing was swapped and the application was let in again."
                f" {error.reason}",
                **error.details,
            ) from None
        except psycopg2.Error as error:
            if not self._renamed_all_the_same():
                reason = one_line(error, with_detail=True)
                raise Unchanged(
                    "databases_not_renamed",
                    f"The databases could not be renamed, so nothing was swapped and the application was let in"
                    f" again: {reason}. Remove the cause, and run again.",
                ) from None
        self._done = True
        return {
            "replaced": self.replaced,
            "replaced_oid": self._live["oid"],
            "not_carried": self._not_carried,
        }

    def _rename(self, cursor: Cursor) -> None:
        """All of the transaction but its end."""
        self._live = live = read_properties(cursor, self.database)
        not_carried = carry_properties(cursor, live, self.restored)
        # As they are to be typed when the restored database has the name.
        old, new = (sql.Identifier(name).as_string(cursor) for name in (self.restored, self.database))
        self._not_carried = [text.replace(old, new) for text in not_carried]
        self._comment(cursor, self.restored, live["comment"])
        for old, new in ((self.database, self.replaced), (self.restored, self.database)):
            cursor.execute(
                sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(old), sql.Identifier(new))
            )
        for name in (self.replaced, self.database):
            allow_connections(cursor, name, True)
        ours = f"{self.database} until restore {self.run_id} put the backup of run {self.source} in its place"
        self._comment(cursor, self.replaced, f"{live['comment'] or ''}\n{ours}".strip())

    def _renamed_all_the_same(self) -> bool:
        """Whether COMMIT took effect although its answer was lost."""
        if not self._connection.closed:
            return False
        self._connection = connect_maintenance(self.target)
        with self._connection.cursor() as cursor:
            cursor.execute(
                "SELECT oid::bigint FROM pg_catalog.pg_database WHERE datname = %s", (self.database,)
            )
            return cursor.fetchone() == (self.restored_oid,)
