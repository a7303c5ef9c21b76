# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""PostgreSQL's reason in one line."""

from __future__ import annotations

from typing import Any

__all__ = ["one_line"]


def one_line(error: Any) -> str:
    """The primary message of what the server said; without one, what libpq or psycopg2 said.

    Args:
        error: a psycopg2.Error. Its detail, hint and context are left out: they quote rows and statements.
    """
    diagnostic = getattr(error, "diag", None)
    message = getattr(diagnostic, "message_primary", None) or str(error)
    return " ".join(message.split())
