# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""PostgreSQL's reason in one line, and what can be done about it."""

from __future__ import annotations

__all__ = ["explain_error", "one_line", "too_long_as_text"]


def one_line(error: Exception, with_detail: bool = False) -> str:
    """The primary message of what the server said; without one, what libpq or psycopg2 said.

    Args:
        error: a psycopg2.Error. Its hint and context are left out: they quote statements.
        with_detail: its detail too, where that can quote no row (who else is at work in a database, for one).
    """
    diagnostic = getattr(error, "diag", None)
    message = getattr(diagnostic, "message_primary", None) or str(error)
    detail = getattr(diagnostic, "message_detail", None) if with_detail else None
    return " ".join(". ".join(filter(None, (message, detail))).split())


def explain_error(error: Exception) -> tuple[str, str]:
    """An error that no statement of ours foresees: its reason_code, and its message with what there is to be done.

    Args:
        error: a psycopg2.Error.
    """
    message, sqlstate = one_line(error), getattr(error, "pgcode", None)
    if "row-level security policy" in message and sqlstate == "42501":  # insufficient_privilege
        # Never with the rows that a policy lets through: the others would be taken for deleted ones.
        what = "The runbook's role has to see every row: a superuser types ALTER ROLE ... BYPASSRLS."
        return "role_lacks_privilege", f"{message}. {what}"
    if sqlstate == "25006":  # read_only_sql_transaction
        what = (
            "The database was made read-only, for all or for this role (default_transaction_read_only), or its"
            " server is a standby by now. When it may be written again, type the same command again."
        )
        return "database_read_only", f"{message}. {what}"
    if too_long_as_text(error):
        what = (
            "A row's text, as which it is compared and dumped, would be longer than 1 GB, and PostgreSQL makes none"
            " that is (a bytea takes two characters a byte). Keep such values in large objects or files, or divide"
            " them, then type the same command again."
        )
        return "row_too_long", f"{message}. {what}"
    if sqlstate == "22021":  # character_not_in_repertoire
        what = (
            "A name, a comment, a definition or a value in the database is not UTF-8, whose encoding SQL_ASCII takes"
            " any bytes. Give it again in UTF-8, then type the same command again."
        )
        return "text_not_utf8", f"{message}. {what}"
    if sqlstate == "57P01" or (
        sqlstate is None and "server closed the connection" in message
    ):  # admin_shutdown
        what = (
            "A session of the runbook was ended: by a restart of the server, by somebody, or by a script of this run"
            " that ends the sessions of others (pg_terminate_backend)."
        )
        return "postgresql_error", f"{message.rstrip('.')}. {what}"
    if sqlstate == "53200" and "shared memory" in message:  # out_of_memory
        what = (
            "The server has no room for the locks of so many tables and indexes at a time. Raise"
            " max_locks_per_transaction in its settings (it takes a restart), then type the same command again."
        )
        return "postgresql_error", f"{message}. {what}"
    return "postgresql_error", f"{message.rstrip('.')}."


def too_long_as_text(error: Exception) -> bool:
    """Whether a value or row would be longer, written as text, than the 1 GB that PostgreSQL can allocate.

    Args:
        error: a psycopg2.Error. Neither SQLSTATE says it by itself (src/common/stringinfo.c, src/backend/utils/mmgr).
    """
    message, sqlstate = one_line(error), getattr(error, "pgcode", None)
    return (sqlstate == "54000" and "buffer" in message) or (
        sqlstate == "XX000" and "invalid memory alloc request size" in message
    )
