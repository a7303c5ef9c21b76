# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a scratch cluster takes over from the server whose backup it is, and what it must not.

A rehearsal is worth something where statements run with the settings that they will have in production. But nothing
that reaches beyond the scratch cluster's own folder may be taken over: it listens nowhere else, archives nothing,
follows nobody, and runs no background worker, be it of pg_cron or of a subscription.
"""

from __future__ import annotations

import os
import shlex
import struct
from collections.abc import Iterable
from typing import NamedTuple

from ...errors import Refused
from ...postgres.answers import one_row
from ...postgres.connection import sql
from ...shapes import Cursor, Identity

__all__ = ["Server", "configuration", "is_of_cluster", "overrides", "postgres_program", "read_server"]

# By their own sources, so that neither a session's nor a database's settings are among them: those the backup has.
SETTINGS = """
    SELECT name, setting FROM pg_catalog.pg_settings
    WHERE source IN ('configuration file', 'command line') AND context <> 'internal' ORDER BY 1"""

#: Beginnings of names of settings that are left out.
LEFT_OUT = (
    "archive_",
    "autovacuum",
    "bonjour",
    "cluster_name",
    "config_file",
    "data_directory",
    "dynamic_shared_memory",
    "event_source",
    "external_pid_file",
    "fsync",
    "hba_file",
    "hot_standby",
    "huge_page",
    "ident_file",
    "krb_",
    "listen_addresses",
    "log_",
    "logging_collector",
    "max_logical_replication_workers",
    "max_worker_processes",
    "min_dynamic_shared_memory",
    "port",
    "primary_",
    "promote_trigger_file",
    "recovery_",
    "restart_after_crash",
    "restore_command",
    "shared_buffers",
    "shared_memory_type",
    "ssl",
    "stats_temp_directory",
    "synchronous_standby_names",
    "syslog",
    "unix_socket",
)


class Server(NamedTuple):
    """What has to be known of production's server.

    Attributes:
        data: its data folder.
        superuser: name of a role that may do everything.
        role: as which we are connected.
        settings: (name, value) of those that its configuration sets.
    """

    data: str
    superuser: str
    role: str
    settings: list[tuple[str, str]]


def read_server(cursor: Cursor) -> Server:
    """
    Raises:
        Refused: the role is not told where the data are.
    """
    cursor.execute(
        "SELECT (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'data_directory'),"
        " (SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolsuper ORDER BY rolcanlogin DESC, oid LIMIT 1),"
        " session_user::text"
    )
    data, superuser, role = one_row(cursor)
    if not data:
        grant = sql.SQL("GRANT pg_read_all_settings TO {}").format(sql.Identifier(role)).as_string(cursor)
        raise Refused(
            "role_lacks_privilege",
            f"Role {role} may not see where the server's data folder is, which backup_engine=pgbackrest needs."
            f" Nothing was changed. A superuser types: {grant}",
        )
    cursor.execute(SETTINGS)
    return Server(data, superuser, role, cursor.fetchall())


def is_of_cluster(data: str, identity: Identity) -> bool:
    """Whether a data folder of this host is that of the server: both have one system identifier.

    It is the first number of pg_control (src/include/catalog/pg_control.h).
    """
    try:
        with open(os.path.join(data, "global", "pg_control"), "rb") as file:
            (found,) = struct.unpack("=Q", file.read(8))
    except (OSError, struct.error):
        return False
    return str(found) == identity["system_identifier"]


def postgres_program(data: str) -> str:
    """The program that the server itself runs, by what it has written at its start (postmaster.opts).

    Raises:
        Refused: it cannot be found.
    """
    try:
        with open(os.path.join(data, "postmaster.opts"), encoding="utf-8", errors="surrogateescape") as file:
            words = shlex.split(file.readline())
    except (OSError, ValueError):
        words = []
    if words and os.path.isabs(words[0]) and os.access(words[0], os.X_OK):
        return words[0]
    raise Refused(
        "backup_engine_unusable",
        f"Which program the server runs cannot be read in {data}/postmaster.opts, so that no scratch cluster can be"
        " started with the same one. Nothing was changed. Restart the server, which writes that file.",
    )


def configuration(settings: Iterable[tuple[str, str]]) -> str:
    """Text of a postgresql.conf with what production's sets, but for what must not be taken over.

    Args:
        settings: (name, value) as in pg_settings, which has numbers in the unit that a number without one has.
    """
    lines = ["# Settings of the server whose backup is restored here."]
    for name, value in settings:
        if name.startswith(LEFT_OUT) or "\n" in value:
            continue
        quoted = value.replace("\\", "\\\\").replace("'", "''")
        lines.append(f"{name} = '{quoted}'")
    return "\n".join(lines) + "\n"


def overrides(folder: str, socket_dir: str, restore_command: str) -> list[str]:
    """Options of the program postgres, which stand above every file, also above the postgresql.auto.conf restored.

    Args:
        folder: has postgresql.conf, pg_hba.conf and pg_ident.conf.
        socket_dir: folder of the socket, in which nobody else may look.
        restore_command: fetches a segment of the archived WAL.
    """
    values = {
        "config_file": f"{folder}/postgresql.conf",
        "hba_file": f"{folder}/pg_hba.conf",
        "ident_file": f"{folder}/pg_ident.conf",
        "external_pid_file": "",
        "listen_addresses": "",
        "port": "5432",
        "unix_socket_directories": socket_dir,
        "unix_socket_group": "",
        "unix_socket_permissions": "0700",
        "ssl": "off",
        "archive_mode": "off",
        "archive_command": "",
        "archive_library": "",
        "archive_cleanup_command": "",
        "recovery_end_command": "",
        "restore_command": restore_command,
        "primary_conninfo": "",
        "primary_slot_name": "",
        # Nothing looks before the restore point is reached; and it asks for no settings as large as production's.
        "hot_standby": "off",
        "synchronous_standby_names": "",
        # No worker of an extension or a subscription begins; statements run without parallel ones all the same.
        "max_worker_processes": "0",
        "max_logical_replication_workers": "0",
        "autovacuum": "off",
        # It is thrown away.
        "fsync": "off",
        "restart_after_crash": "off",
        "shared_buffers": "128MB",
        "min_dynamic_shared_memory": "0",
        "huge_pages": "off",
        "cluster_name": "",
        "logging_collector": "off",
        "log_destination": "stderr",
    }
    return [word for name, value in values.items() for word in ("-c", f"{name}={value}")]
