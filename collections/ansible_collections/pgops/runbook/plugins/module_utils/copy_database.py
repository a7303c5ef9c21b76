# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The copy: a database of its own in which the backup is restored and the rehearsal happens."""

from __future__ import annotations

import hashlib

from ansible_collections.pgops.runbook.plugins.module_utils.connection import connect, psycopg2, sql
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused

__all__ = ["CopyDatabase", "copy_name", "database_settings"]

PREFIX = "runbook_copy_"


def copy_name(run_id):
    """Name of the copy of a run: a prefix of ours and a digest, well below the 63 bytes of an identifier."""
    return PREFIX + hashlib.sha256(run_id.encode("utf-8")).hexdigest()[:16]


class CopyDatabase:
    """Creates and drops the copy of one run on one server.

    Args:
        target: connection options of the server that holds the copy; login_db is only connected to.
        run_id: name of the run; also written as the database's comment, by which we know our own.
    """

    def __init__(self, target, run_id, name=None):
        self.target = target
        self.run_id = run_id
        self.name = name or copy_name(run_id)

    def _autocommit(self):
        connection = connect(self.target)
        connection.autocommit = True  # CREATE and DROP DATABASE cannot run in a transaction
        return connection

    def create(self, like=None):
        """Create it empty, with encoding, locale and settings of ``like`` (see database_settings)."""
        like = like or {}
        options = sql.SQL("TEMPLATE template0")
        for keyword, value in like.get("create", {}).items():
            options += sql.SQL(" {} {}").format(sql.SQL(keyword), sql.Literal(value))
        connection = self._autocommit()
        try:
            with connection.cursor() as cursor:
                name = sql.Identifier(self.name)
                cursor.execute(sql.SQL("CREATE DATABASE {} {}").format(name, options))
                cursor.execute(
                    sql.SQL("COMMENT ON DATABASE {} IS {}").format(name, sql.Literal(self._mark()))
                )
                for setting, value in like.get("settings", []):
                    _keep_setting(cursor, sql.SQL("DATABASE {}").format(name), setting, value)
                # After the database's own, which it overrides, as in the original.
                for setting, value in like.get("role_settings", []):
                    _keep_setting(
                        cursor, sql.SQL("ROLE CURRENT_USER IN DATABASE {}").format(name), setting, value
                    )
        finally:
            connection.close()

    def _mark(self):
        return f"migration runbook: copy of run {self.run_id}"

    def drop(self):
        """Drop it if it is there; returns whether it was.

        Raises:
            Refused: when a database of that name is not one that the runbook made.
        """
        connection = self._autocommit()
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT shobj_description(oid, 'pg_database') FROM pg_catalog.pg_database WHERE datname = %s",
                    (self.name,),
                )
                row = cursor.fetchone()
                if row is None:
                    return False
                # No comment: created, and then killed before the next statement. The name is ours alone.
                if row[0] not in (self._mark(), None):
                    raise Refused(f"Database {self.name} was not made by this run: it is left alone.")
                # FORCE ends sessions that a killed rehearsal left behind (manual, DROP DATABASE).
                cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(self.name)))
                return True
        finally:
            connection.close()

    def connect(self):
        return connect(self.target, self.name)


def _keep_setting(cursor, owner, setting, value):
    """ALTER ``owner`` SET; a setting that only superusers may make (logging, mostly) is left out for others."""
    try:
        # FROM CURRENT takes lists such as search_path as they are, where a literal would be read as one name.
        cursor.execute("SELECT set_config(%s, %s, false)", (setting, value))
        cursor.execute(
            sql.SQL("ALTER {} SET {} FROM CURRENT").format(
                owner, sql.SQL(".").join(map(sql.Identifier, setting.split(".")))
            )
        )
    except psycopg2.errors.InsufficientPrivilege:
        pass


PROVIDERS = {"b": "builtin", "c": "libc", "i": "icu"}


def database_settings(cursor):
    """What CREATE DATABASE needs to make another database like this one.

    ``pg_dump`` without --create carries neither locale nor ALTER DATABASE ... SET nor ALTER ROLE ... IN DATABASE.

    Returns:
        dict: create (keyword -> value), settings of the database and role_settings of the current role in it
        (lists of [name, value]).
    """
    cursor.execute(
        "SELECT to_jsonb(d), pg_encoding_to_char(d.encoding) FROM pg_catalog.pg_database d"
        " WHERE datname = current_database()"
    )
    database, encoding = cursor.fetchone()
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
    return {"create": create, "settings": _settings(cursor, "0"), "role_settings": _settings(cursor, OWN_OID)}


OWN_OID = "(SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user)"


def _settings(cursor, role):
    cursor.execute(
        "SELECT split_part(s, '=', 1), substr(s, strpos(s, '=') + 1)"
        f" FROM pg_catalog.pg_db_role_setting, unnest(setconfig) s WHERE setrole = {role} AND setdatabase ="
        " (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())"
    )
    return [list(row) for row in cursor.fetchall()]
