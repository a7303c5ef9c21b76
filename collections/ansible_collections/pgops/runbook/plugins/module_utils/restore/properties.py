# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What belongs to a database and lies outside of it: owner, privileges, settings, comment, limit.

No dump of a database carries these (manual, pg_dump, --create), so whoever puts another database in its place does.
"""

from __future__ import annotations

from typing import Any

from ..postgres.answers import one_row
from ..postgres.connection import sql
from ..postgres.database_privileges import carry_privileges, read_privileges
from ..postgres.lasting_settings import permitted, set_statement
from ..shapes import Cursor

__all__ = ["carry_properties", "carry_settings", "read_properties", "tablespace_for"]


def read_properties(cursor: Cursor, database: str) -> dict[str, Any]:
    """The properties of a database of the cursor's server.

    Returns:
        dict: oid, owner, connection_limit, is_template, comment, labels (number of security labels), privileges
        (see read_privileges), settings (list of [role or None, name, value]).
    """
    cursor.execute(
        "SELECT d.oid::bigint, d.datdba::regrole::text, r.rolname, d.datconnlimit, d.datistemplate,"
        " shobj_description(d.oid, 'pg_database'),"
        " (SELECT count(*) FROM pg_catalog.pg_shseclabel l WHERE l.objoid = d.oid"
        " AND l.classoid = 'pg_catalog.pg_database'::regclass)"
        " FROM pg_catalog.pg_database d JOIN pg_catalog.pg_roles r ON r.oid = d.datdba WHERE d.datname = %s",
        (database,),
    )
    oid, _, owner, limit, is_template, comment, labels = one_row(cursor)
    cursor.execute(
        "SELECT r.rolname, split_part(s, '=', 1), substr(s, strpos(s, '=') + 1)"
        " FROM pg_catalog.pg_db_role_setting o LEFT JOIN pg_catalog.pg_roles r ON r.oid = o.setrole,"
        " unnest(o.setconfig) AS s WHERE o.setdatabase = %s ORDER BY 1 NULLS FIRST, 2",
        (oid,),
    )
    return {
        "oid": oid,
        "owner": owner,
        "connection_limit": limit,
        "is_template": is_template,
        "comment": comment,
        "labels": labels,
        "settings": [list(row) for row in cursor.fetchall()],
        "privileges": read_privileges(cursor, database),
    }


def tablespace_for(cursor: Cursor, database: str) -> tuple[str | None, str | None]:
    """(tablespace to name when a database like this one is made, or None; why another one has to be taken, or None)."""
    cursor.execute(
        "SELECT t.spcname::text, pg_catalog.has_tablespace_privilege(t.oid, 'CREATE')"
        " FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace"
        " WHERE d.datname = %s",
        (database,),
    )
    name, allowed = one_row(cursor)
    if name == "pg_default":
        return None, None  # that of template0; to name it takes a privilege on it
    if allowed:
        return name, None
    return None, f"tablespace {name}: the role may not create anything in it"


def carry_properties(cursor: Cursor, properties: dict[str, Any], database: str) -> list[str]:
    """Give a database the properties of another one, in the cursor's transaction.

    The comment is not among them: until the databases are swapped it says what the new one is.

    Args:
        properties: see read_properties.
        database: which one gets them.

    Returns:
        What the role may not set, as the statements that a superuser has to type.
    """
    name = sql.Identifier(database)
    statements = [
        sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, sql.Identifier(properties["owner"])),
        sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(
            name, sql.Literal(properties["connection_limit"])
        ),
        *_settings(name, properties["settings"]),
    ]
    if properties["is_template"]:
        statements.append(sql.SQL("ALTER DATABASE {} IS_TEMPLATE true").format(name))
    _forget_settings(cursor, name, database)
    refused = [statement.as_string(cursor) for statement in statements if not permitted(cursor, statement)]
    refused += carry_privileges(cursor, database, properties["owner"], properties["privileges"])
    if properties["labels"]:
        refused.append(
            f"SECURITY LABEL ON DATABASE {name.as_string(cursor)} IS ... ({properties['labels']} of them)"
        )
    return refused


def carry_settings(cursor: Cursor, properties: dict[str, Any], database: str) -> None:
    """Give a database the settings of another one alone, which are a part of its schema as it is compared.

    Those that the role may not set are left out, as carry_properties leaves them out.
    """
    name = sql.Identifier(database)
    _forget_settings(cursor, name, database)
    for statement in _settings(name, properties["settings"]):
        permitted(cursor, statement)


def _forget_settings(cursor: Cursor, name: sql.Identifier, database: str) -> None:
    """Those that the new database got when it was made, as the backup knew them."""
    for owner in (sql.SQL("DATABASE {}"), sql.SQL("ROLE CURRENT_USER IN DATABASE {}")):
        cursor.execute(sql.SQL("ALTER {} RESET ALL").format(owner.format(name)))


def _settings(name: sql.Identifier, settings: list[list[Any]]) -> list[sql.Composed]:
    statements = []
    for role, setting, value in settings:
        of = sql.SQL("DATABASE {}").format(name)
        if role is not None:
            of = sql.SQL("ROLE {} IN DATABASE {}").format(sql.Identifier(role), name)
        statements.append(set_statement(of, setting, value))
    return statements
