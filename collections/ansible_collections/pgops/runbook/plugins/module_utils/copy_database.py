# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The copy: a database of its own in which the backup is restored and the rehearsal happens."""

from __future__ import annotations

import hashlib

from ansible_collections.pgops.runbook.plugins.module_utils.connection import connect, sql
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
                    # FROM CURRENT takes lists such as search_path as they are, where a literal would be
                    # read as one name.
                    cursor.execute("SELECT set_config(%s, %s, false)", (setting, value))
                    cursor.execute(
                        sql.SQL("ALTER DATABASE {} SET {} FROM CURRENT").format(
                            name, sql.SQL(".").join(map(sql.Identifier, setting.split(".")))
                        )
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


def database_settings(cursor):
    """What CREATE DATABASE needs to make another database like this one.

    ``pg_dump`` without --create carries neither locale nor ALTER DATABASE ... SET.

    Returns:
        dict: create (keyword -> value) and settings (list of [name, value]).
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
    provider = database.get("datlocprovider")
    # The column is daticulocale in 15 and 16, datlocale from 17.
    locale = database.get("datlocale") or database.get("daticulocale")
    if provider == "i":
        create.update({"LOCALE_PROVIDER": "icu", "ICU_LOCALE": locale})
        if database.get("daticurules"):
            create["ICU_RULES"] = database["daticurules"]
    elif provider == "b":
        create.update({"LOCALE_PROVIDER": "builtin", "BUILTIN_LOCALE": locale})
    cursor.execute(
        "SELECT split_part(s, '=', 1), substr(s, strpos(s, '=') + 1)"
        " FROM pg_catalog.pg_db_role_setting, unnest(setconfig) s"
        " WHERE setrole = 0 AND setdatabase ="
        " (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())"
    )
    return {"create": create, "settings": [list(row) for row in cursor.fetchall()]}
