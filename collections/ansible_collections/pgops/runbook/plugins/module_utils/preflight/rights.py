# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rights that a role needs which is no superuser: all that are missing at once, each with what grants it.

Production is read as a whole (the backup, and what a rollback keeps), so every table has to be readable, and no policy
may hide rows. On the copy everything is made anew and given to its owner, for which PostgreSQL asks that whoever does
it may become that owner (manual, ALTER TABLE), and that an extension is trusted (manual, CREATE EXTENSION).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from ..errors import Refused
from ..ledger.upgrade import missing_rights_to_upgrade
from ..postgres.answers import one_row
from ..postgres.application_tables import (
    APPLICATION_AND_RUNBOOK,
    RELATIONS,
    SAVED,
    SEQUENCES,
    TABLES,
    of_application,
)
from ..postgres.connection import sql
from ..postgres.lone_extensions import read_lone_extensions
from ..postgres.membership import membership
from ..sentences import listed
from ..shapes import Cursor
from .grants import (
    missing_on_large_objects,
    missing_on_tablespaces,
    missing_on_versions,
    tablespaces_used,
)
from .owners import Owned, missing_on_owners, owners_of_backup

__all__ = ["Tries", "all_of_them", "check_role", "missing_in_production", "missing_on_copy"]

# Of sequences too, whose positions a dump holds.
UNREADABLE = f"""
    SELECT pg_catalog.pg_get_userbyid(c.relowner)::text, n.nspname::text, c.relname::text
    FROM {RELATIONS} WHERE {of_application("".join((TABLES, "m", SEQUENCES)), APPLICATION_AND_RUNBOOK, SAVED)}
      AND NOT pg_catalog.has_table_privilege(c.oid, 'SELECT') ORDER BY 1, 2, 3"""

CLOSED = f"""
    SELECT DISTINCT pg_catalog.pg_get_userbyid(n.nspowner)::text, n.nspname::text
    FROM {RELATIONS} WHERE {of_application("".join((TABLES, "m", SEQUENCES)), APPLICATION_AND_RUNBOOK, SAVED)}
      AND NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE') ORDER BY 1, 2"""

HIDDEN = f"""
    SELECT n.nspname::text || '.' || c.relname::text
    FROM {RELATIONS} WHERE {of_application(TABLES, APPLICATION_AND_RUNBOOK, SAVED)}
      AND pg_catalog.row_security_active(c.oid) ORDER BY 1"""

UNTRUSTED = """
    SELECT x.extname::text FROM pg_catalog.pg_extension x
    JOIN pg_catalog.pg_available_extension_versions v ON v.name = x.extname AND v.version = x.extversion
    WHERE v.superuser AND NOT v.trusted AND x.extname <> 'plpgsql' ORDER BY 1"""


#: Which of these extensions the role cannot make where copies are made.
Tries = Callable[[Sequence[str]], Sequence[str]]


def all_of_them(names: Sequence[str]) -> Sequence[str]:
    """What can be said of extensions that only superusers make, where nobody tries."""
    return names


def check_role(cursor: Cursor, copy_cursor: Cursor, makes_copy: bool, tries: Tries = all_of_them) -> None:
    """The role may do all that the run will ask of it.

    Args:
        cursor: of a transaction in production; only reads.
        copy_cursor: likewise, on the server where copies are made.
        makes_copy: whether the run restores a backup into one.
        tries: asked about extensions that by the catalogs only a superuser may make.

    Raises:
        Refused: naming every right that is missing.
    """
    missing = missing_in_production(cursor)
    owners, extensions = _asked_of_copy(cursor)
    if not makes_copy:
        owners, extensions = {}, []
    missing += missing_on_copy(copy_cursor, owners, extensions, tries)
    if makes_copy:
        missing += missing_on_tablespaces(copy_cursor, _role(copy_cursor), tablespaces_used(cursor))
    if missing:
        raise Refused("role_lacks_privilege", ". ".join(dict.fromkeys(missing)), missing=missing)


def missing_in_production(cursor: Cursor) -> list[str]:
    """A sentence on each right that is missing, which ends with the command."""
    role = _role(cursor)
    missing = [*missing_rights_to_upgrade(cursor), *missing_on_versions(cursor, role)]
    cursor.execute(
        "SELECT pg_catalog.has_database_privilege(current_database(), 'TEMP'), current_database()::text"
    )
    may_make_temporary, database = one_row(cursor)
    if not may_make_temporary:
        grant = sql.SQL("GRANT TEMPORARY ON DATABASE {} TO {}").format(
            sql.Identifier(database), sql.Identifier(role)
        )
        missing.append(
            f"Role {role} may not make temporary tables, in which definitions and rows are compared."
            f" Whoever may, types: {grant.as_string(cursor)}"
        )
    missing += _missing_on_tables(cursor, role)
    missing += missing_on_large_objects(cursor, role)
    cursor.execute(HIDDEN)
    hidden = [name for (name,) in cursor.fetchall()]
    if hidden:
        command = sql.SQL("ALTER ROLE {} BYPASSRLS").format(sql.Identifier(role)).as_string(cursor)
        missing.append(
            f"Row-level security hides rows of {listed(hidden)} from role {role}, and a backup with the others would"
            f" be taken for the whole. A superuser types: {command}"
        )
    return missing


def _missing_on_tables(cursor: Cursor, role: str) -> list[str]:
    """A sentence on the schemas, and one on the tables and sequences, of each owner that the role may not read."""
    missing = []
    cursor.execute(CLOSED)
    for owner, schemas in _by_owner(cursor.fetchall()).items():
        grant = sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(
            sql.SQL(", ").join(sql.Identifier(*name) for name in schemas), sql.Identifier(role)
        )
        shown = listed([name for (name,) in schemas])
        missing.append(
            f"Role {role} may not look into schema {shown}, of which a backup holds the tables and which {owner} owns."
            f" {_to_be_member(cursor, role, owner, grant)}"
        )
    cursor.execute(UNREADABLE)
    for owner, names in _by_owner(cursor.fetchall()).items():
        grant = sql.SQL("GRANT SELECT ON {} TO {}").format(
            sql.SQL(", ").join(sql.Identifier(*name) for name in names), sql.Identifier(role)
        )
        shown = listed([".".join(name) for name in names])
        missing.append(
            f"Role {role} may not read {shown}, which a backup holds and which {owner} owns."
            f" {_to_be_member(cursor, role, owner, grant)}"
        )
    return missing


def _by_owner(rows: Iterable[Sequence[str]]) -> dict[str, list[Sequence[str]]]:
    """Rows of an owner and a name -> the names by their owner, in the same order."""
    by_owner: dict[str, list[Sequence[str]]] = {}
    for owner, *name in rows:
        by_owner.setdefault(owner, []).append(name)
    return by_owner


def _asked_of_copy(cursor: Cursor) -> tuple[dict[str, Owned], list[str]]:
    """Owners of what a backup of this database holds, and extensions that only a superuser may make."""
    owners = owners_of_backup(cursor)
    # The copy does without these, if need be.
    lone = {one.name for one in read_lone_extensions(cursor)}
    cursor.execute(UNTRUSTED)
    return owners, [name for (name,) in cursor.fetchall() if name not in lone]


def missing_on_copy(
    cursor: Cursor, owners: Mapping[str, Owned], extensions: Sequence[str], tries: Tries = all_of_them
) -> list[str]:
    """As missing_in_production(), on the server where the copy is made.

    Args:
        owners: of what the backup holds (see owners_of_backup).
        extensions: that it holds, and that are not trusted.
        tries: see check_role().
    """
    role, missing = _role(cursor), []
    cursor.execute(
        "SELECT rolcreatedb OR rolsuper, rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user"
    )
    may_create_database, is_superuser = one_row(cursor)
    if not may_create_database:
        command = sql.SQL("ALTER ROLE {} CREATEDB").format(sql.Identifier(role)).as_string(cursor)
        missing.append(
            f"Role {role} may not create the copy on which the backup is proven. A superuser types: {command}"
        )
    if is_superuser:
        return missing
    missing += missing_on_owners(cursor, role, owners)
    for name in tries(extensions) if extensions and may_create_database else extensions:
        missing.append(
            f"Objects of the application depend on extension {name}, which is not trusted, so that only a superuser may"
            f" make it, and role {role} cannot make the copy. Whoever runs the server puts 'trusted = true' into its"
            " control file, or lets the role make it as a managed service may; or the inventory's group rehearsal names"
            " a server with a superuser as db_user, which may be one of your own"
        )
    return missing


def _role(cursor: Cursor) -> str:
    cursor.execute("SELECT current_user::text")
    return one_row(cursor)[0]


def _to_be_member(cursor: Cursor, role: str, owner: str, grant: sql.Composed) -> str:
    """The command that mends it; nobody is made a member of a superuser, which would make him one.

    Args:
        grant: what is typed instead.
    """
    cursor.execute("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = %s", (owner,))
    row = cursor.fetchone()
    if row is None or not row[0]:
        return f"Whoever may, types: {membership(cursor, role, owner)}"
    return f"A superuser types: {grant.as_string(cursor)}"
