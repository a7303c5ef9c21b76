# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The embedded server's configuration files: settings, and who may connect."""

from __future__ import annotations


def postgresql_conf(socket_dir: str, port: int, fsync: bool) -> str:
    """Return postgresql.conf.

    Args:
        socket_dir: folder of the Unix socket.
        port: port of socket and of 127.0.0.1.
        fsync: False for servers that are thrown away: what is committed may be in the kernel's memory only.
    """
    durable = "on" if fsync else "off"
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        # A list: the inner quotes keep a folder with a comma in one piece.
        "unix_socket_directories": '"' + socket_dir.replace('"', '""') + '"',
        "max_connections": 60,  # parallel pg_dump and pg_restore beside tests
        "shared_buffers": "512MB",
        "max_wal_size": "1GB",
        # Applications with transactions over several servers are only in tests.
        "max_prepared_transactions": 0 if fsync else 5,
        # A runbook that is killed must not leave its statement running and its locks held.
        "client_connection_check_interval": "1s",
        # synchronous_commit stays on: a server that is killed must not lose a commit in the tests either.
        "fsync": durable,
        "full_page_writes": durable,
        "log_line_prefix": "%m [%p] %q%u@%d ",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
    lines = ["# Written by demo/local_server.py at every start."]
    for name, value in settings.items():
        escaped = str(value).replace("\\", "\\\\").replace("'", "''")
        lines.append(f"{name} = '{escaped}'")
    return "\n".join(lines) + "\n"


def pg_hba_conf() -> str:
    """Return pg_hba.conf: over the socket who the kernel says you are, over TCP a password."""
    return "local all,replication all peer map=owner\nhost all,replication all 127.0.0.1/32 scram-sha-256\n"


def pg_ident_conf(os_users: set[str], roles: tuple[str, ...] = ()) -> str:
    """Return pg_ident.conf: these operating system users may connect under these database roles, by default under all.

    ``all`` as the database user of a map: PostgreSQL 16 and newer, manual "User Name Maps".
    """
    known = [f'"{role}"' for role in roles] or ["all"]
    return "".join(f'owner "{name}" {role}\n' for name in sorted(os_users) for role in known)
