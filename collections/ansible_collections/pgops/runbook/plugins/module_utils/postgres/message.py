# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""PostgreSQL's reason in one line."""

from __future__ import annotations

__all__ = ["one_line"]


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
