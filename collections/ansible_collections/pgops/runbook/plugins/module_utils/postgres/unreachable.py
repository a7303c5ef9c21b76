# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why no connection could be made, and which variable of ours is to be looked at.

libpq gives advice in words of its own (sslrootcert=system, change sslmode), none of which anybody can type here.
Its messages are those of fe-connect.c and fe-secure-openssl.c, PostgreSQL 13 to 18, in English: nobody has set a
locale. Of a message that is not known, as one of a server in another language, the variables of every connection are
named.
"""

from __future__ import annotations

import re

__all__ = ["EVERY_CONNECTION", "advice", "without_libpq_advice"]

EVERY_CONNECTION = "Check db_host, db_port, db_name, db_user and db_password."

LIBPQ_ADVICE = re.compile(r"[\s/]+Either provide the file.*", re.DOTALL)

#: Pattern of the message -> what to do; the first that matches counts.
RULES: tuple[tuple[str, str], ...] = (
    (
        r"SSL support is not compiled in|sslmode value .* invalid when",
        "These programs know no TLS: set pg_bindir to programs that do, or db_sslmode to prefer where the server"
        " allows that.",
    ),
    (
        r"weak sslmode",
        "Set db_sslmode to verify-full, or db_sslrootcert to the file of your own authority.",
    ),
    (
        r"service file|definition of service|service specification",
        "db_service names a section of pg_service.conf on the host where the step runs, for the user as whom it runs:"
        " ~/.pg_service.conf, or the file that PGSERVICEFILE names there. Correct the file or db_service.",
    ),
    (
        r"does not match host name|host name from server certificate|host name must be specified",
        "Set db_host to a name that is in the server's certificate.",
    ),
    (
        r"root certificate|certificate verify failed|self[- ]signed certificate",
        "Set db_sslrootcert to the certificate of the authority that has signed the server's, a file on the host where"
        " the step runs; or to system, for the authorities that this host trusts.",
    ),
    (
        r"private key|certificate file|valid client certificate|certificate authentication failed"
        r"|alert .*(certificate|unknown ca)|alert certificate required",
        "Set db_sslcert and db_sslkey to the client's certificate and key, files on the host where the step runs; the"
        " certificate must be made out to db_user.",
    ),
    (
        r"does not support SSL|no pg_hba\.conf entry",
        "Check db_sslmode, db_user, db_name and db_host.",
    ),
    (
        r"configuration parameter|command-line argument|for parameter|set parameter|parameter \".*\" (cannot|requires)"
        r"|requires a value",
        "Correct db_options (without it, PGOPTIONS).",
    ),
    (
        r"permission denied for database",
        "db_user may not connect to db_name. Either that was never granted (GRANT CONNECT ON DATABASE), or a run keeps"
        " others out with maintenance_mode block; of such a run, the role that it has logged in as types:"
        " ansible-playbook playbooks/status.yml",
    ),
    (
        r"could not access file|could not load library",
        "A setting of the server, of db_name or of db_user loads a library that the server does not have, so that psql"
        " cannot connect either. Connected to another database, a superuser types what resets it: ALTER DATABASE ..."
        " RESET session_preload_libraries, ALTER ROLE ... RESET session_preload_libraries, or ALTER ROLE ... IN"
        " DATABASE ... RESET session_preload_libraries; or the same of local_preload_libraries.",
    ),
    (
        r"password|fe_sendauth|SASL|SCRAM",
        "Check db_user, and db_password, db_password_file or db_password_command. Where the server asks for a"
        " certificate too, that in db_sslcert must be made out to db_user.",
    ),
)


def advice(cause: str) -> str:
    """What to do about a message of libpq or of the server; empty where it is of no known kind."""
    for pattern, what in RULES:
        if re.search(pattern, cause):
            return what
    return ""


def without_libpq_advice(cause: str) -> str:
    """The message without what libpq advises about root certificates."""
    return LIBPQ_ADVICE.sub("", cause)
