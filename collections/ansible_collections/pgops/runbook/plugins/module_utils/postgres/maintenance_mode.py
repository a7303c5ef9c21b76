# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The application out of service in PostgreSQL itself: its new sessions may only read, or are not let in.

Everything here is in the cursor's transaction, in which the caller notes what has to be given back: there is no moment
in which one is done without the other. Sessions that were there before are ended by ``other_sessions``.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from ..errors import Refused
from ..sentences import listed
from ..shapes import Cursor, Json
from .answers import one_row
from .connection import psycopg2, sql
from .membership import to_act_as_owner_of_database
from .message import one_line
from .other_sessions import OtherSession, clock, other_sessions

__all__ = [
    "BLOCK",
    "MODES",
    "NOTHING_DONE",
    "READ_ONLY",
    "READ_ONLY_SETTING",
    "check_holds",
    "enter_mode",
    "leave_mode",
]

READ_ONLY, BLOCK = "read_only", "block"
MODES = ("none", READ_ONLY, BLOCK)

#: What READ_ONLY sets; it is no part of the schema, so that no comparison sees it.
READ_ONLY_SETTING = "default_transaction_read_only"

WHO_WE_ARE = """
    SELECT r.oid::bigint, r.rolname::text, d.datname::text, pg_catalog.pg_get_userbyid(d.datdba)::text,
           pg_catalog.pg_has_role(r.oid, d.datdba, 'USAGE'),
           pg_catalog.pg_has_role(r.oid, 'pg_read_all_stats', 'USAGE'),
           pg_catalog.pg_has_role(r.oid, 'pg_signal_backend', 'USAGE')
    FROM pg_catalog.pg_roles r, pg_catalog.pg_database d
    WHERE r.rolname = session_user AND d.datname = pg_catalog.current_database()"""

# What is set for a role stands above what is set for the database (manual, ALTER ROLE, "Notes").
MAY_WRITE_ALL_THE_SAME = """
    SELECT r.rolname::text, s.setdatabase <> 0
    FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_roles r ON r.oid = s.setrole,
         unnest(s.setconfig) AS c
    WHERE s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))
      AND pg_catalog.split_part(c, '=', 1) = 'default_transaction_read_only'
      AND NOT pg_catalog.split_part(c, '=', 2)::boolean
      AND r.rolcanlogin AND r.oid <> ALL (%s::pg_catalog.oid[]) ORDER BY 1"""

SETTINGS = """
    SELECT pg_catalog.max(pg_catalog.split_part(c, '=', 2)) FILTER (WHERE s.setrole = 0),
           pg_catalog.max(pg_catalog.split_part(c, '=', 2)) FILTER (WHERE s.setrole = %s)
    FROM pg_catalog.pg_db_role_setting s, unnest(s.setconfig) AS c
    WHERE s.setdatabase = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
      AND pg_catalog.split_part(c, '=', 1) = 'default_transaction_read_only'"""

MAY_CONNECT = """
    SELECT a.grantee::bigint, a.is_grantable, a.grantor <> d.datdba, pg_catalog.pg_get_userbyid(a.grantor)::text
    FROM pg_catalog.pg_database d,
         pg_catalog.aclexplode(coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))) AS a
    WHERE d.datname = pg_catalog.current_database() AND a.privilege_type = 'CONNECT' ORDER BY 1"""

ALL_PRIVILEGES = """
    SELECT array(SELECT a::text FROM pg_catalog.aclexplode(d.datacl) AS a ORDER BY 1) FROM pg_catalog.pg_database d
    WHERE d.datname = pg_catalog.current_database()"""

# A superuser gets in whatever anybody revokes.
GETS_IN = """
    SELECT r.oid::bigint, r.rolname::text FROM pg_catalog.pg_roles r
    WHERE r.rolcanlogin AND NOT r.rolsuper
      AND pg_catalog.has_database_privilege(r.oid, pg_catalog.current_database(), 'CONNECT') ORDER BY 2"""

# A client that has gone is listed for a moment longer, as is a look of a monitoring program.
ABOUT_TO_END_SECONDS: float = 2

NOTHING_DONE = "The application was not taken out of service, and nothing was changed."


def check_holds(cursor: Cursor, mode: str, keep: Sequence[str]) -> list[int]:
    """Whether the mode could be entered and would hold. Only reads.

    Args:
        cursor: of a transaction.
        mode: READ_ONLY or BLOCK.
        keep: names of roles whose sessions stay, and which BLOCK lets in.

    Returns:
        OIDs of the roles that stay: those of ``keep``, and the one that the runbook logs in as.

    Raises:
        Refused: the role lacks a right, or somebody would not be kept out.
    """
    cursor.execute(WHO_WE_ARE)
    own, role, *rights = one_row(cursor)
    _refuse_without_rights(cursor, mode, role, *rights)
    stay = [own, *_oids(cursor, keep)]
    beyond = _beyond(cursor, mode, keep)
    if beyond:
        raise Refused(
            "maintenance_mode_not_held",
            f"maintenance_mode {mode} cannot keep these sessions out, which are of a superuser or of the role that the"
            f" runbook itself logs in as: {listed([str(one) for one in beyond])}. {NOTHING_DONE} End them, or name in"
            " maintenance_keep_roles the roles whose sessions may stay; if one of them is the application, give the"
            " runbook a role of its own: ansible-playbook playbooks/bootstrap_roles.yml",
        )
    if mode == READ_ONLY:
        _refuse_who_may_write(cursor, stay)
    else:
        _refuse_other_grantors(cursor)
    return stay


def enter_mode(cursor: Cursor, mode: str, keep: Sequence[str]) -> Json:
    """Set it for all sessions that begin from COMMIT on.

    Args:
        cursor, mode, keep: see check_holds.

    Returns:
        what leave_mode needs, JSON-able: mode, since (text of timestamptz), stay (OIDs), and of READ_ONLY own (OID),
        database and role (what was set before, or None); of BLOCK revoked (lists of OID and grant option), granted
        (OIDs) and left (the privileges on the database after that, as text).

    Raises:
        Refused: see check_holds.
    """
    stay = check_holds(cursor, mode, keep)
    noted = {"mode": mode, "since": clock(cursor), "stay": stay}
    try:
        noted.update(_read_only(cursor, stay[0]) if mode == READ_ONLY else _block(cursor, stay))
    except psycopg2.errors.InsufficientPrivilege as error:
        raise Refused("role_lacks_privilege", f"{one_line(error)}. {NOTHING_DONE}") from None
    return noted


def leave_mode(cursor: Cursor, noted: Json) -> list[str]:
    """Give back what enter_mode has taken; returns what there is to be said of it.

    Args:
        cursor: in the database, or in the one that has its place since.
        noted: what enter_mode returned.

    Raises:
        Refused: the role may not give it back.
        psycopg2.Error: likewise.
    """
    if noted["mode"] == READ_ONLY:
        _set(cursor, sql.SQL("DATABASE {database}"), noted["database"])
        if _role(cursor, noted["own"]) is not None:
            of = sql.SQL("ROLE {role} IN DATABASE {database}")
            _set(cursor, of, noted["role"], _role(cursor, noted["own"]))
        return []
    return _let_in(cursor, noted)


# Who cannot be kept out ----------------------------------------------------------------------------------


def _refuse_without_rights(
    cursor: Cursor, mode: str, role: str, database: str, owner: str, owns: bool, sees: bool, ends: bool
) -> None:
    to_own = "" if owns else f" {to_act_as_owner_of_database(cursor, role, database, owner)}"
    groups = [group for group, has in (("pg_read_all_stats", sees), ("pg_signal_backend", ends)) if not has]
    if groups:
        names = sql.SQL(", ").join(map(sql.Identifier, groups))
        grant = sql.SQL("GRANT {} TO {}").format(names, sql.Identifier(role)).as_string(cursor)
        to_own += f"; {grant}" if to_own else f" A superuser types: {grant}"
    if to_own:
        raise Refused(
            "role_lacks_privilege",
            f"maintenance_mode {mode} needs a role that has the rights of the owner of database {database}, sees the"
            f" sessions of others and may end them. {NOTHING_DONE}{to_own}",
        )


def _oids(cursor: Cursor, keep: Sequence[str]) -> list[int]:
    cursor.execute(
        "SELECT oid::bigint, rolname::text FROM pg_catalog.pg_roles WHERE rolname = ANY (%s)", (list(keep),)
    )
    oids = {name: oid for oid, name in cursor.fetchall()}
    unknown = sorted(set(keep) - set(oids))
    if unknown:
        raise Refused(
            "setting_invalid",
            f"maintenance_keep_roles names {', '.join(unknown)}, and the server has no such role. {NOTHING_DONE}",
        )
    return list(oids.values())


def _beyond(cursor: Cursor, mode: str, keep: Sequence[str]) -> list[OtherSession]:
    """Sessions that would not be kept out and are not to stay; one that is about to end is waited for."""
    deadline = time.monotonic() + ABOUT_TO_END_SECONDS
    while True:
        beyond = [one for one in other_sessions(cursor) if _is_beyond(mode, one) and one.role not in keep]
        if not beyond or time.monotonic() >= deadline:
            return beyond
        time.sleep(0.1)


def _is_beyond(mode: str, session: OtherSession) -> bool:
    """Whether it, or one that follows it, would go on as before: the setting is the superusers' too."""
    return session.own or (mode == BLOCK and session.superuser)


def _refuse_who_may_write(cursor: Cursor, stay: Sequence[int]) -> None:
    cursor.execute(MAY_WRITE_ALL_THE_SAME, (list(stay),))
    commands = []
    for role, here in cursor.fetchall():
        command = sql.SQL("ALTER ROLE {} {}RESET {}").format(
            sql.Identifier(role),
            sql.SQL("IN DATABASE {} ").format(_database(cursor)) if here else sql.SQL(""),
            sql.SQL(READ_ONLY_SETTING),
        )
        commands.append(command.as_string(cursor))
    if commands:
        raise Refused(
            "maintenance_mode_not_held",
            f"maintenance_mode {READ_ONLY} does not reach roles of which it is set that they write"
            f" ({READ_ONLY_SETTING} = off stands above what is set for the database). {NOTHING_DONE} A superuser types:"
            f" {'; '.join(commands)}. Or name the roles in maintenance_keep_roles, or set maintenance_mode: {BLOCK}.",
        )


def _refuse_other_grantors(cursor: Cursor) -> None:
    cursor.execute(MAY_CONNECT)
    grantors = sorted({grantor for *_, of_another, grantor in cursor.fetchall() if of_another})
    if grantors:
        raise Refused(
            "maintenance_mode_not_held",
            f"CONNECT on this database was granted by {', '.join(grantors)}, who is not its owner: maintenance_mode"
            f" {BLOCK} could not give that back as it was. {NOTHING_DONE} Let the owner grant it in place of them.",
        )


# Only reading --------------------------------------------------------------------------------------------


def _read_only(cursor: Cursor, own: int) -> Json:
    cursor.execute(SETTINGS, (own,))
    database, role = one_row(cursor)
    _set(cursor, sql.SQL("DATABASE {database}"), "on")
    # A role may always say so of itself; psql, pg_restore and the scripts of a migration are of it too.
    _set(cursor, sql.SQL("ROLE {role} IN DATABASE {database}"), "off", _role(cursor, own))
    return {"own": own, "database": database, "role": role}


def _set(cursor: Cursor, of: sql.SQL, value: str | None, role: sql.Identifier | None = None) -> None:
    what = of.format(role=role, database=_database(cursor)) if role else of.format(database=_database(cursor))
    if value is None:
        cursor.execute(sql.SQL("ALTER {} RESET {}").format(what, sql.SQL(READ_ONLY_SETTING)))
    else:
        statement = sql.SQL("ALTER {} SET {} = {}")
        cursor.execute(statement.format(what, sql.SQL(READ_ONLY_SETTING), sql.Literal(value)))


# Keeping out ---------------------------------------------------------------------------------------------


def _block(cursor: Cursor, stay: Sequence[int]) -> Json:
    cursor.execute(GETS_IN)
    got_in = {oid for oid, _ in cursor.fetchall()}
    cursor.execute(MAY_CONNECT)
    entries = [(grantee, grantable) for grantee, grantable, *_ in cursor.fetchall()]
    granted = [oid for oid in stay if oid in got_in and oid not in dict(entries)]
    revoked = [[grantee, grantable] for grantee, grantable in entries if grantee not in stay]
    for oid in granted:
        _change(cursor, "GRANT CONNECT ON DATABASE {} TO {}", oid)
    for oid, _ in revoked:
        _change(cursor, "REVOKE CONNECT ON DATABASE {} FROM {}", oid)
    cursor.execute(GETS_IN)
    others = [name for oid, name in cursor.fetchall() if oid not in stay]
    if others:
        raise Refused(
            "maintenance_mode_not_held",
            f"maintenance_mode {BLOCK} would let {', '.join(others)} in, by membership in a role that stays (the"
            f" runbook's own, or one of maintenance_keep_roles). {NOTHING_DONE} Take the membership back, or name them"
            " in maintenance_keep_roles.",
        )
    return {"revoked": revoked, "granted": granted, "left": _privileges(cursor)}


def _let_in(cursor: Cursor, noted: Json) -> list[str]:
    _refuse_who_cannot_grant(cursor)
    changed = _privileges(cursor) != noted["left"]
    for oid, grantable in noted["revoked"]:
        option = " WITH GRANT OPTION" if grantable else ""
        _change(cursor, "GRANT CONNECT ON DATABASE {} TO {}" + option, oid)
    for oid in noted["granted"]:
        _change(cursor, "REVOKE CONNECT ON DATABASE {} FROM {}", oid)
    if not changed:
        return []
    return [
        "The privileges on the database were changed by somebody else, or by a script, while maintenance_mode kept"
        " others out. What had been taken was given back: look whether all of it was to come back (psql: \\l)"
    ]


def _refuse_who_cannot_grant(cursor: Cursor) -> None:
    """PostgreSQL only warns where a GRANT of who has no grant option grants nothing."""
    cursor.execute(WHO_WE_ARE)
    _, role, database, owner, owns, *_ = one_row(cursor)
    if not owns:
        raise Refused(
            "role_lacks_privilege",
            f"Role {role} has not the rights of {owner}, who owns database {database}, and cannot let others in again."
            " Nothing was changed. Type the same command with db_user set to the role that took the application out of"
            " service, or to a superuser.",
        )


def _privileges(cursor: Cursor) -> list[str]:
    cursor.execute(ALL_PRIVILEGES)
    return one_row(cursor)[0]


def _change(cursor: Cursor, statement: str, oid: int) -> None:
    """A statement with the database and a role, which may be gone by now."""
    role = sql.SQL("PUBLIC") if oid == 0 else _role(cursor, oid)
    if role is not None:
        cursor.execute(sql.SQL(statement).format(_database(cursor), role))


def _role(cursor: Cursor, oid: int) -> sql.Identifier | None:
    cursor.execute("SELECT rolname::text FROM pg_catalog.pg_roles WHERE oid = %s", (oid,))
    row = cursor.fetchone()
    return sql.Identifier(row[0]) if row is not None else None


def _database(cursor: Cursor) -> sql.Identifier:
    cursor.execute("SELECT pg_catalog.current_database()::text")
    return sql.Identifier(one_row(cursor)[0])
