# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Settings of an application's own that one script of a transaction leaves to the next.

A setting with a dot in its name (``SET LOCAL app.tenant = '7'``) is there for the rest of the session once somebody has
set it: neither RESET nor the end of a transaction takes it away, it only becomes an empty text (PostgreSQL manual,
"Customized Options"). A script that runs alone, as it was rehearsed, finds none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..shapes import Cursor

__all__ = ["left_to", "settings_read"]

_NAME = r"([a-z_][\w$]*(?:\.[a-z_][\w$]*)+)"
# Inside of nullif(…, '') none and an empty text are the same.
_MENTIONED = re.compile(
    rf"(?P<careful>nullif\s*\(\s*)?(?:pg_catalog\s*\.\s*)?current_setting\s*\(\s*'(?P<read>{_NAME})'"
    rf"|(?:\bset\s+(?:local\s+|session\s+)?|set_config\s*\(\s*')(?P<set>{_NAME})",
    re.IGNORECASE,
)


def settings_read(statements: Iterable[str]) -> list[str]:
    """Names of the settings that a script reads and sets nowhere, as far as its text tells.

    What it sets itself an earlier attempt of its own may have left, which waited for a lock in vain.

    Args:
        statements: the script's SQL.
    """
    found = list(_MENTIONED.finditer(";\n".join(statements)))
    own = {one["set"].lower() for one in found if one["set"]}
    return sorted({one["read"].lower() for one in found if one["read"] and not one["careful"]} - own)


def left_to(cursor: Cursor, names: list[str]) -> list[str]:
    """Those of the settings that are empty because an earlier script of the session has set them.

    Args:
        cursor: in the runbook's turn, in which no script's value stands.
    """
    if not names:
        return []
    cursor.execute(
        "SELECT n FROM pg_catalog.unnest(%s::pg_catalog.text[]) AS s(n)"
        " WHERE pg_catalog.current_setting(n, true) OPERATOR(pg_catalog.=) '' ORDER BY 1",
        (names,),
    )
    return [name for (name,) in cursor.fetchall()]
