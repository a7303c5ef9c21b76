# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which table says what is applied in this process, and whose it is.

A step works for one target, and whatever it connects to (the target, its copy, what a restore has made) keeps the same
books. So it is said once, when the step begins, and not handed on by each function between there and the table.
"""

from __future__ import annotations

from typing import Dict, Optional, Type

from ..shapes import Json
from .tools.flyway import Flyway
from .tools.numbers import Dbmate, Golang, Goose, Rails
from .tools.python import Alembic, Django
from .tools.sqitch import Sqitch
from .tools.table import RecordTable
from .tools.yoyo import Yoyo

__all__ = ["TOOLS", "books", "keep_books_in", "recorded_in"]

TOOLS: Dict[str, Type[RecordTable]] = {
    tool.name: tool
    for tool in (RecordTable, Alembic, Dbmate, Django, Flyway, Golang, Goose, Rails, Sqitch, Yoyo)
}

_books = RecordTable({})


def keep_books_in(settings: Optional[Json]) -> None:
    """Say it for the rest of this process.

    Args:
        settings: ``tool`` (one of TOOLS, empty for the application's own table) and what RecordTable takes; None or
            empty for a table schema_migrations.
    """
    global _books
    settings = settings or {}
    _books = TOOLS[settings.get("tool") or ""](settings)


def books() -> RecordTable:
    """The table in which migrations are recorded."""
    return _books


def recorded_in() -> str:
    """Its name, for sentences."""
    return ".".join(filter(None, (_books.schema, _books.table)))
