# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether code in a database may write elsewhere: a made-up row must not be anywhere but on the copy."""

from __future__ import annotations

from ..postgres.answers import one_row
from ..sentences import listed
from ..shapes import Cursor

__all__ = ["reach_outside"]

# Foreign servers; extensions that connect or send; languages whose functions may do whatever the server's user may.
WAYS = """
    SELECT ARRAY(SELECT 'foreign server ' || s.srvname FROM pg_catalog.pg_foreign_server s
                 UNION ALL
                 SELECT 'extension ' || x.extname FROM pg_catalog.pg_extension x
                 WHERE x.extname = ANY ('{dblink,http,pg_net,pgsql-http,aws_lambda,aws_s3,pg_cron,pgmq}')
                 UNION ALL
                 SELECT 'language ' || l.lanname FROM pg_catalog.pg_language l
                 WHERE NOT l.lanpltrusted AND l.lanispl ORDER BY 1)"""


def reach_outside(cursor: Cursor) -> str | None:
    """Why a table whose INSERT calls the application's code gets no rows in this database; None where it may."""
    cursor.execute(WAYS)
    (ways,) = one_row(cursor)
    if not ways:
        return None
    return (
        f"it has triggers or rules, and with {listed(ways)} these could write somewhere else than on the copy"
    )
