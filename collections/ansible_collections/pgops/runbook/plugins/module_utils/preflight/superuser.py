# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the database has a superuser call: code of roles that are none, on the copy, and where rows are put back.

``pg_restore`` loads rows as who restores, and so calls checks, those of domains, generated columns and the expressions
of partition keys. Indexes and materialized views it makes as their owner; but whoever writes a row calls the
expressions of its indexes, and whoever only plans a SELECT what is constant in their predicates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from ..postgres.application_tables import RELATIONS, TABLES, of_application
from ..postgres.code_of_others import EVENT_TRIGGERS, Call, calls, superuser_of_session
from ..postgres.connection import connect, transaction
from ..sentences import listed
from ..shapes import Cursor, Target

__all__ = ["called_as_superuser"]

OF_APPLICATION = f"SELECT c.oid FROM {RELATIONS} WHERE {of_application(TABLES)}"


def called_as_superuser(cursor: Cursor, copy_target: Optional[Target]) -> list[str]:
    """One query, where the role is a superuser; none but for that where it is not.

    Args:
        cursor: of a transaction in production, in our own turn; only reads.
        copy_target: connection options of the server where copies are made, where that is another one.

    Returns:
        a sentence for the person who runs this, or none.
    """
    superuser, where = superuser_of_session(cursor), ""
    if superuser is None and copy_target is not None:
        superuser, where = _superuser_of_copy(copy_target), " on the server of the copies"
    if superuser is None:
        return []
    found = calls(cursor, OF_APPLICATION, {}, EVENT_TRIGGERS)
    return [_in_words(superuser, where, found)] if found else []


def _superuser_of_copy(target: Target) -> str | None:
    connection = connect(target)
    try:
        with transaction(connection) as cursor:
            return superuser_of_session(cursor)
    finally:
        connection.close()


def _in_words(superuser: str, where: str, found: Sequence[Call]) -> str:
    by_function: dict[str, list[Call]] = {}
    for one in found:
        by_function.setdefault(one.what(), []).append(one)
    named = [
        f"{function} ({listed([one.where() for one in of_it], 2, ', ')})"
        for function, of_it in by_function.items()
    ]
    return (
        f"Role {superuser} is a superuser{where}, and a backup that is restored, or rows that are read or put back,"
        f" have it call functions of roles that are none: {listed(named)}. Whoever owns one can do by it whatever"
        f" {superuser} may."
        " If that is not meant, let the runbook connect as a role that is no superuser (db_user): ansible-playbook"
        " playbooks/bootstrap_roles.yml -e bootstrap_roles_admin=<superuser>"
    )
