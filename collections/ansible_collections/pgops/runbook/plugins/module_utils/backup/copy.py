# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The copy: a database of its own in which the backup is restored and the rehearsal happens."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager

from ..digests import named_for_run
from ..errors import Refused
from ..postgres.answers import one_row
from ..postgres.connection import connect, psycopg2, sql, transaction
from ..postgres.database_privileges import keep_others_out, read_privileges
from ..postgres.lasting_settings import PASSED_OVER, set_statement
from ..postgres.lock_waits import named_waits_for_databases
from ..postgres.maintenance import allow_connections, drop_by_force
from ..postgres.maintenance_mode import READ_ONLY_SETTING
from ..postgres.replication import detach_subscriptions
from ..postgres.standbys import ON_SERVER_OF_COPY, commit_without_standbys, refuse_endless_commit
from ..shapes import Connection, Cursor, Json, Target
from .restoring import creators_needed

__all__ = ["CopyDatabase", "copy_name", "database_settings", "drop_forgotten", "made_long_ago"]

PREFIX = "runbook_copy_"

MARK = "migration runbook: copy of run {}"

# Stands between the mark and the time.
MADE = ", made "
MADE_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
NOW = """SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""

# Without a session for so long, a copy belongs to nobody any more: its run would long be refused, since its backup
# is too old (backup_max_age_minutes).
FORGOTTEN_AFTER_HOURS = 24

# Between the steps of a run no session is in its copy, so that the age counts as well. Another role's is not ours.
WITHOUT_SESSION = """
    SELECT datname, pg_catalog.shobj_description(d.oid, 'pg_database'), clock_timestamp() AT TIME ZONE 'UTC'
    FROM pg_catalog.pg_database d
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid)
      AND pg_catalog.pg_has_role(datdba, 'USAGE')
      AND pg_catalog.starts_with(datname::text, %s)
    ORDER BY 1"""


def copy_name(run_id: str) -> str:
    """Name of the copy of a run."""
    return named_for_run(PREFIX, run_id)


@contextmanager
def _on_the_server(target: Target) -> Iterator[Cursor]:
    connection = connect(target)
    connection.autocommit = True  # CREATE and DROP DATABASE cannot run in a transaction
    try:
        with connection.cursor() as cursor, named_waits_for_databases(cursor):
            yield cursor
    finally:
        connection.close()


class CopyDatabase:
    """Creates and drops the copy of one run on one server.

    Args:
        target: connection options of the server that holds the copy; login_db is only connected to.
        run_id: name of the run; also written as the database's comment, by which we know our own.
    """

    def __init__(self, target: Target, run_id: str, name: str | None = None) -> None:
        self.target = target
        self.run_id = run_id
        self.name = name or copy_name(run_id)

    def size(self) -> int:
        """How many bytes it has by now; 0 before it is there."""
        connection = connect(self.target)
        try:
            with transaction(connection) as cursor:
                cursor.execute(
                    "SELECT pg_catalog.pg_database_size(oid) FROM pg_catalog.pg_database WHERE datname = %s",
                    (self.name,),
                )
                found = cursor.fetchone()
                return found[0] if found else 0
        finally:
            connection.close()

    def create(self, like: Json | None = None) -> None:
        """Create it empty, with encoding, locale and settings of ``like`` (see database_settings).

        Nobody gets in but who made it, and superusers: whoever came in while it was empty could stay, and read later.
        """
        like = like or {}
        options: sql.Composable = sql.SQL("TEMPLATE template0 ALLOW_CONNECTIONS false")
        for keyword, value in like.get("create", {}).items():
            options += sql.SQL(" {} {}").format(sql.SQL(keyword), sql.Literal(value))
        with _on_the_server(self.target) as cursor:
            # What restores into it and works in it waits for standbys, as everybody else.
            refuse_endless_commit(cursor, where=ON_SERVER_OF_COPY)
            name = sql.Identifier(self.name)
            cursor.execute(sql.SQL("CREATE DATABASE {} {}").format(name, options))
            keep_others_out(cursor, self.name, like.get("privileges"))
            cursor.execute(NOW)
            mark = sql.Literal(f"{self._mark()}{MADE}{one_row(cursor)[0]}")
            cursor.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(name, mark))
            for setting, value in like.get("settings", []):
                _keep_setting(cursor, sql.SQL("DATABASE {}").format(name), setting, value)
            # After the database's own, which it overrides, as in the original.
            for setting, value in like.get("role_settings", []):
                _keep_setting(
                    cursor, sql.SQL("ROLE CURRENT_USER IN DATABASE {}").format(name), setting, value
                )
            allow_connections(cursor, self.name, True)
        self._make_public_alike(like.get("public", True), like.get("public_creators", []))

    def limit_owner(self, production: Connection) -> None:
        """Now that it is filled: make schemas there only where that may be done in production too.

        Args:
            production: idle connection to the original.
        """
        with transaction(production) as cursor:
            cursor.execute(
                "SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')"
            )
            if one_row(cursor)[0]:
                return
        with _on_the_server(self.target) as cursor:
            cursor.execute(
                sql.SQL("REVOKE CREATE ON DATABASE {} FROM CURRENT_USER").format(sql.Identifier(self.name))
            )

    def _make_public_alike(self, has_public: bool, creators: list[str]) -> None:
        """No dump says that schema public was dropped, which every new database has."""
        if not has_public:
            connection = self.connect()
            try:
                with transaction(connection) as cursor:
                    cursor.execute("DROP SCHEMA public")
            finally:
                connection.close()
        else:
            self._let_owners_create(creators)

    def _let_owners_create(self, roles: list[str]) -> None:
        """A dump grants at its end, and who is no superuser gives a table only to a role that may create in its schema.

        The same right from the same grantor is in the dump, so that it changes nothing in the end.
        """
        if not roles:
            return
        connection = self.connect()
        try:
            with transaction(connection) as cursor:
                cursor.execute(
                    "SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolname = ANY (%s)"
                    " AND NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)",
                    (roles,),
                )
                for (role,) in cursor.fetchall():
                    cursor.execute(
                        sql.SQL("GRANT CREATE ON SCHEMA public TO {}").format(sql.Identifier(role))
                    )
        finally:
            connection.close()

    def _mark(self) -> str:
        return MARK.format(self.run_id)

    def _is_ours(self, comment: str | None) -> bool:
        # No comment: created, and then killed before the next statement. The name is ours alone.
        return comment is None or comment.split(MADE)[0] == self._mark()

    def _is_there(self, beside: Connection) -> bool:
        with transaction(beside) as cursor:
            cursor.execute("SELECT FROM pg_catalog.pg_database WHERE datname = %s", (self.name,))
            return cursor.fetchone() is not None

    def drop(self, beside: Connection | None = None) -> bool:
        """Drop it if it is there; returns whether it was.

        Args:
            beside: idle connection to a database of the same server, which can say that there is none: mostly so, and
                sooner than another connection is made.

        Raises:
            Refused: when a database of that name is not one that the runbook made.
        """
        if beside is not None and not self._is_there(beside):
            return False
        with _on_the_server(self.target) as cursor:
            commit_without_standbys(cursor)
            cursor.execute(
                "SELECT shobj_description(oid, 'pg_database') FROM pg_catalog.pg_database WHERE datname = %s",
                (self.name,),
            )
            row = cursor.fetchone()
            if row is None:
                return False
            if not self._is_ours(row[0]):
                raise Refused(
                    "database_not_of_this_run",
                    f"The server has a database {self.name}, the name of this run's copy, which this run did not"
                    " make. It was left alone. Find out what it is, rename or drop it, and run the same command"
                    " again.",
                )
            try:
                drop_by_force(cursor, self.name)
            except psycopg2.errors.ObjectInUse:
                self._detach_subscriptions(cursor)
                drop_by_force(cursor, self.name)
            return True

    def _detach_subscriptions(self, cursor: Cursor) -> None:
        """They alone keep a database from being dropped by force; it may let nobody in, being left by a swap."""
        allow_connections(cursor, self.name, True)
        connection = self.connect()
        connection.autocommit = True
        try:
            detach_subscriptions(connection)
        finally:
            connection.close()

    def connect(self) -> Connection:
        return connect(self.target, self.name)


def drop_forgotten(target: Target, beside: Connection | None = None) -> list[str]:
    """Drop the copies that killed runs left on a server, long ago.

    Args:
        target: connection options of the server; login_db is only connected to.
        beside: as for CopyDatabase.drop().

    Returns:
        list of their names.
    """
    dropped: list[str] = []
    if beside is not None:
        with transaction(beside) as cursor:
            if not _forgotten_copies(cursor):
                return dropped
    with _on_the_server(target) as cursor:
        commit_without_standbys(cursor)
        for name in _forgotten_copies(cursor):
            try:
                # Without FORCE: whoever has come in the meantime keeps it.
                cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
            except psycopg2.errors.ObjectInUse:
                continue
            dropped.append(name)
    return dropped


def _forgotten_copies(cursor: Cursor) -> list[str]:
    cursor.execute(WITHOUT_SESSION, (PREFIX,))
    return [name for name, comment, now in cursor.fetchall() if _forgotten(name, comment or "", now)]


def _forgotten(name: str, comment: str, now: datetime.datetime) -> bool:
    """Whether a database's comment says that it is a copy, and made long ago."""
    mark = comment.rpartition(MADE)[0]
    run_id = mark[len(MARK.format("")) :]
    if not mark.startswith(MARK.format("")) or name != copy_name(run_id):
        return False
    return made_long_ago(comment, now)


def made_long_ago(comment: str, now: datetime.datetime) -> bool:
    """Whether a comment ends with a time that is past by FORGOTTEN_AFTER_HOURS.

    Args:
        now: of the server, in UTC and without a zone.
    """
    try:
        age = now - datetime.datetime.strptime(comment.rpartition(MADE)[2], MADE_FORMAT)
    except ValueError:
        return False
    return age > datetime.timedelta(hours=FORGOTTEN_AFTER_HOURS)


def _keep_setting(cursor: Cursor, owner: sql.Composed, setting: str, value: str) -> None:
    """ALTER ``owner`` SET; what the server refuses is left out (see PASSED_OVER)."""
    try:
        cursor.execute(set_statement(owner, setting, value))
    except psycopg2.Error as error:
        if error.pgcode not in PASSED_OVER:
            raise


PROVIDERS = {"b": "builtin", "c": "libc", "i": "icu"}


def database_settings(cursor: Cursor) -> Json:
    """What CREATE DATABASE needs to make another database like this one.

    ``pg_dump`` without --create carries neither locale nor ALTER DATABASE ... SET nor ALTER ROLE ... IN DATABASE.

    Returns:
        dict: create (keyword -> value), settings of the database and role_settings of the current role in it
        (lists of [name, value]), public (whether there is such a schema), public_creators (roles that were granted to
        create in it), creators (see restoring.creators_needed), privileges (on the database: see read_privileges).
    """
    cursor.execute(
        "SELECT to_jsonb(d), pg_encoding_to_char(d.encoding), d.datname::text FROM pg_catalog.pg_database d"
        " WHERE datname = current_database()"
    )
    database, encoding, name = one_row(cursor)
    create = {
        "ENCODING": encoding,
        "LC_COLLATE": database["datcollate"],
        "LC_CTYPE": database["datctype"],
    }
    provider = database["datlocprovider"]
    # Without it the copy would get the provider of template0, which may be another one.
    create["LOCALE_PROVIDER"] = PROVIDERS[provider]
    # The column is daticulocale in 15 and 16, datlocale from 17.
    locale = database.get("datlocale") or database.get("daticulocale")
    if provider == "i":
        create["ICU_LOCALE"] = locale
        if database.get("daticurules"):
            create["ICU_RULES"] = database["daticurules"]
    elif provider == "b":
        create["BUILTIN_LOCALE"] = locale
    cursor.execute(
        "SELECT DISTINCT pg_catalog.pg_get_userbyid(acl.grantee)::text FROM pg_catalog.pg_namespace n,"
        " pg_catalog.aclexplode(n.nspacl) AS acl WHERE n.nspname = 'public' AND acl.privilege_type = 'CREATE'"
        " AND acl.grantee NOT IN (0, n.nspowner) ORDER BY 1"
    )
    creators = [role for (role,) in cursor.fetchall()]
    cursor.execute("SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'public')")
    (has_public,) = one_row(cursor)
    return {
        "create": create,
        "settings": _settings(cursor, "0"),
        "role_settings": _settings(cursor, OWN_OID),
        "public": has_public,
        "public_creators": creators,
        "creators": creators_needed(cursor),
        "privileges": read_privileges(cursor, name),
    }


OWN_OID = "(SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user)"


def _settings(cursor: Cursor, role: str) -> list[list[str]]:
    cursor.execute(
        "SELECT split_part(s, '=', 1), substr(s, strpos(s, '=') + 1)"
        f" FROM pg_catalog.pg_db_role_setting, unnest(setconfig) s WHERE setrole = {role} AND setdatabase ="
        " (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())"
    )
    # On a copy everything is tried, whoever may not write in the original.
    return [list(row) for row in cursor.fetchall() if row[0] != READ_ONLY_SETTING]
