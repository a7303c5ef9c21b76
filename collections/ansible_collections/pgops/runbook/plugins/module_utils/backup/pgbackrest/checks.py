# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What has to hold before a run begins whose backup is pgBackRest's."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

from ...errors import Refused, StepFailed
from ...own_files import is_link_of_another
from ...postgres.application_tables import (
    APPLICATION_AND_RUNBOOK,
    INCLUDED,
    RELATIONS,
    STORED,
    of_application,
)
from ...postgres.connection import sql
from ...sentences import listed
from ...shapes import Cursor, Identity, Json
from ..emergency import Wish, refuse_without_archiving, refuse_without_right
from .owner import INSTEAD, Owner, owner_of
from .program import PgBackRest, repository_is_elsewhere
from .scratch import ScratchCluster
from .settings import Server, is_of_cluster, postgres_program, read_server

__all__ = [
    "WISH",
    "check_engine",
    "check_repository",
    "check_scratch_dir",
    "check_stanza",
    "owner_of_cluster",
    "refuse_unlogged_rows",
]

# sun_path of a Linux socket address, without its NUL (unix(7)), and what PostgreSQL puts into the folder.
SOCKET_PATH_BYTES = 107
SOCKET_NAME = ".s.PGSQL.5432.lock"

WISH = Wish("backup_engine=pgbackrest", f"See archive_command in pgbackrest's user guide. {INSTEAD}")

UNLOGGED = f"""
    SELECT n.nspname, c.relname FROM {RELATIONS}
    WHERE {of_application(STORED, APPLICATION_AND_RUNBOOK, INCLUDED)} AND c.relpersistence = 'u' ORDER BY 1, 2"""


def check_engine(
    cursor: Cursor,
    identity: Identity,
    program_of: Callable[[Owner], PgBackRest],
    scratch_dir: str,
    database_bytes: int,
    proves: bool,
) -> None:
    """The server, its host and the stanza are as a backup and its proof need them.

    Args:
        cursor: of a transaction in production; only reads.
        program_of: pgbackrest as a user.
        proves: whether pgbackrest may archive a segment of WAL to see that it can.

    Raises:
        Refused: the first thing that is missing, and what to type.
    """
    refuse_without_archiving(cursor, WISH)
    refuse_without_right(cursor, WISH)
    refuse_unlogged_rows(cursor)
    server = read_server(cursor)
    owner = owner_of_cluster(server, identity)
    postgres_program(server.data)
    check_scratch_dir(scratch_dir, owner, database_bytes)
    program = program_of(owner)
    check_stanza(program, identity)
    check_repository(program, identity)
    if proves:
        _prove_archiving(program)


def owner_of_cluster(server: Server, identity: Identity) -> Owner:
    """As whom pgbackrest runs on this host.

    Raises:
        Refused: the database's data are not on this host, or belong to a user that we cannot become.
    """
    owner = owner_of(server.data)
    if not is_of_cluster(server.data, identity):
        raise Refused(
            "backup_engine_unusable",
            f"backup_engine=pgbackrest works on the database's own host, but {server.data} of this host is of another"
            f" server than {identity['database']} is on. Nothing was changed. Name the database's host as the inventory"
            f" host. {INSTEAD}",
        )
    return owner


def check_stanza(program: PgBackRest, identity: Identity) -> None:
    """The stanza is that of this server: both have one system identifier."""
    found = program.info()
    known = _server_of(found)
    if known != identity["system_identifier"]:
        raise Refused(
            "backup_engine_unusable",
            f"Stanza {program.stanza} is of server {known}, and {identity['database']} is on server"
            f" {identity['system_identifier']}. Nothing was changed. Check pgbackrest_stanza, db_host and db_port;"
            f" after pg_upgrade type, as user {program.owner.name}: pgbackrest {' '.join(program.options())}"
            " stanza-upgrade",
        )


def _server_of(info: Json) -> str:
    """The system identifier of the server that a stanza is of."""
    return str(info["db"][-1]["system-id"])


def check_repository(program: PgBackRest, identity: Identity) -> None:
    """pgbackrest can make a backup from here: on this host, or where pgbackrest_backup_command leads.

    It makes them on the host of the repository alone, and refuses anywhere else.

    Raises:
        Refused: the repository is on another host and the command is not known, or leads elsewhere.
    """
    if not program.backup_command:
        host = program.host_of_repository()
        if host is not None:
            raise repository_is_elsewhere(program.stanza, host)
        return
    shown = " ".join(program.backup_command)
    try:
        stanza = program.info_at_repository()
    except StepFailed as error:
        why = error.reason
    else:
        if stanza.get("db") and _server_of(stanza) == identity["system_identifier"]:
            return
        why = f"It knows no stanza {program.stanza} of this server."
    raise Refused(
        "backup_engine_unusable",
        f"pgbackrest_backup_command does not lead to the repository: {shown}, run as {program.owner.name} with"
        f" --stanza={program.stanza} info. {why} Nothing was changed. Correct the command, or what it needs on"
        f" either host, until that works. {INSTEAD}",
    )


def _prove_archiving(program: PgBackRest) -> None:
    """pgbackrest's own check: it ends a segment of WAL, and waits until that is in the repository."""
    try:
        program.run("check")
    except StepFailed as error:
        raise Refused(
            "backup_engine_unusable",
            f"{error.reason} Nothing was changed. Correct that, until this ends well, as user {program.owner.name}:"
            f" pgbackrest {' '.join(program.options())} check. {INSTEAD}",
        ) from None


def refuse_unlogged_rows(cursor: Cursor) -> None:
    """Rows of unlogged tables are in no backup of the cluster's files, and nothing would tell.

    Raises:
        Refused: naming the tables that have any.
    """
    cursor.execute(UNLOGGED)
    tables = []
    for schema, name in cursor.fetchall():
        table = sql.Identifier(schema, name)
        cursor.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(table))
        if cursor.fetchone() == (True,):
            tables.append(table.as_string(cursor))
    if tables:
        raise Refused(
            "unlogged_rows_not_backed_up",
            f"Unlogged tables have rows, which pgbackrest does not back up: {listed(tables)}. Nothing was changed."
            f" Empty them, or type for each: ALTER TABLE {tables[0]} SET LOGGED. {INSTEAD}",
        )


def check_scratch_dir(scratch_dir: str, owner: Owner, needed_bytes: int) -> None:
    """The folder can be made or is there, its paths are short enough, the owner gets there, and there is room.

    Raises:
        Refused: saying what is wrong.
    """
    length = len(os.fsencode(os.path.join(ScratchCluster(scratch_dir, "").inner, SOCKET_NAME)))
    if length > SOCKET_PATH_BYTES:
        raise Refused(
            "scratch_dir_unusable",
            f"pgbackrest_scratch_dir {scratch_dir} is {length - SOCKET_PATH_BYTES} characters too long for the socket"
            " of a server in it. Nothing was changed. Name a shorter one.",
        )
    existing = scratch_dir
    while not os.path.lexists(existing):
        existing = os.path.dirname(existing)
    passes = owner.succeeds("test", "-d", existing, "-a", "-x", existing)
    if is_link_of_another(scratch_dir) or not passes or not os.access(existing, os.W_OK | os.X_OK):
        raise Refused(
            "scratch_dir_unusable",
            f"pgbackrest_scratch_dir {scratch_dir} cannot be used: {existing} is no folder that this user may write to"
            f" and that {owner.name}, as whom the server runs, may enter, or it is a link that another user has made."
            f" Nothing was changed. Correct that, or name another folder. {INSTEAD}",
        )
    free = shutil.disk_usage(existing).free
    if free < needed_bytes:
        raise Refused(
            "scratch_dir_unusable",
            f"pgbackrest_scratch_dir {scratch_dir} has {free // 2**20} MiB free, but the scratch cluster needs about"
            f" {needed_bytes // 2**20} MiB. Nothing was changed. Make room, or name another folder.",
        )
