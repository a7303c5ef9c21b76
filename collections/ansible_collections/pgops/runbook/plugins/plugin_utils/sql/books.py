# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the application's own tool knows each migration: what of that its files say."""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import Any

from ...module_utils import shapes
from ...module_utils.errors import Refused
from ...module_utils.ledger.bookkeeping import TOOLS
from .layouts.choice import Layout
from .layouts.sqitch_ids import registry_rows
from .library import Migration, SqlLibrary

__all__ = ["books_of", "flyway_checksum"]

_SETTINGS = ("tool", "table", "version", "description")
_DJANGO = re.compile(r"(?:\d+_)?(?P<app>[A-Za-z_]\w*)[. ](?P<name>\d{4}_\w+)")
# What a header says need not have Django's own numbers.
_DJANGO_STATED = re.compile(
    r"(?:\d+_)?(?P<app>[A-Za-z_]\w*)[. ](?P<name>\S+)(?:[ ]replaces[ ](?P<replaces>\S+(?:,[ ]*\S+)*))?"
)
# The comment that `alembic upgrade --sql` writes before each revision; a merge revises several.
_ALEMBIC = re.compile(r"^-- Running upgrade (?P<revises>\w*(?:, \w+)*) -> (?P<revision>\w+)", re.M)
_ALEMBIC_STATED = re.compile(r"(?P<revision>[^\s,]+)(?:[ ]revises[ ](?P<revises>[^\s,]+(?:,[ ]*[^\s,]+)*))?")


def books_of(version_table: Any, library: SqlLibrary, tolerant: bool = False) -> shapes.Json:
    """What modules are told of the table in which migrations are recorded.

    Args:
        version_table: name of a tool, or a dict of tool, table, version and description; empty for schema_migrations.
        tolerant: go on without migrations of which the files do not say how the tool knows them.

    Returns:
        dict for ledger.bookkeeping.keep_books_in; empty where nothing is set.

    Raises:
        Refused: a setting is wrong, or a migration's files do not say how the tool knows it.
        SqlScriptError: see read_plan.
    """
    settings = {"tool": version_table} if isinstance(version_table, str) else dict(version_table or {})
    if not any(settings.values()):
        return {}
    tool = str(settings.get("tool") or "")
    unknown = [key for key in settings if key not in _SETTINGS]
    if tool not in TOOLS or unknown:
        tools = ", ".join(filter(None, TOOLS))
        what = f"has no {unknown[0]}" if unknown else f"knows no tool {tool!r}; there are {tools}"
        raise Refused(
            "setting_invalid", f"version_table {what}. A table of your own: {{table: …, version: …}}."
        )
    return {**settings, "tool": tool, "entries": _entries(tool, library, tolerant)}


def _entries(tool: str, library: SqlLibrary, tolerant: bool) -> dict[str, Any]:
    if tool == "sqitch":
        return registry_rows(Path(library.sql_dir)) if library.migrations else {}
    if tool == "flyway":
        return {one.version: _flyway(one, library.layout) for one in library.migrations}
    make = {
        "alembic": _alembic,
        "django": _django,
        "golang": _number,
        "goose": _number,
        "yoyo": _yoyo,
    }.get(tool)
    if make is None:
        return {one.version: one.apply.header.recorded_as or one.version for one in library.migrations}
    entries = {}
    for one in library.migrations:
        try:
            entries[one.version] = make(one)
        except Refused:
            if not tolerant:
                raise
    return entries


def _unknown(migration: Migration, needed: str) -> Refused:
    return Refused(
        "version_key_unknown",
        f"{migration.apply.name} does not say how the application's tool knows it ({needed}). Add a line to its"
        " header: -- Recorded as: <that>",
    )


def _number(migration: Migration) -> int:
    text = migration.apply.header.recorded_as or migration.version
    if not text.isdecimal():
        raise _unknown(migration, "a number")
    return int(text)


def _yoyo(migration: Migration) -> str:
    """The file's name without its ending."""
    return migration.apply.header.recorded_as or migration.stem


def _django(migration: Migration) -> dict[str, Any]:
    stated = migration.apply.header.recorded_as
    match = _DJANGO_STATED.fullmatch(stated) if stated else _DJANGO.fullmatch(migration.stem)
    if match is None:
        raise _unknown(migration, "application and name, as in polls.0001_initial")
    entry: dict[str, Any] = {"app": match["app"], "name": match["name"]}
    replaces = match.groupdict().get("replaces")
    if replaces:
        entry["replaces"] = [_replaced_by_django(migration, one) for one in re.split(r",[ ]*", replaces)]
    return entry


def _replaced_by_django(migration: Migration, text: str) -> list[str]:
    app, dot, name = text.partition(".")
    if not (app and dot and name):
        raise _unknown(migration, "what it replaces as in polls.0001_initial, polls.0002_votes")
    return [app, name]


def _alembic(migration: Migration) -> dict[str, Any]:
    match = _ALEMBIC_STATED.fullmatch(migration.apply.header.recorded_as or "") or _ALEMBIC.search(
        migration.apply.text
    )
    if match is None:
        raise _unknown(migration, "a revision, as in 1975ea83b712 revises ae1027a6acf4")
    return {"revision": match["revision"], "revises": re.findall(r"[^\s,]+", match["revises"] or "")}


def _flyway(migration: Migration, layout: Layout) -> dict[str, Any]:
    path = Path(migration.apply.name)
    # As Flyway writes it: from its location on.
    inside = layout.name == "flyway" and path.is_relative_to(layout.folder)
    return {
        "description": migration.description[:200] or "<< no description >>",
        "script": path.relative_to(layout.folder).as_posix() if inside else path.name,
        "checksum": flyway_checksum(migration.apply.text),
    }


def flyway_checksum(text: str) -> int:
    """Flyway's checksum: CRC32 over the lines in UTF-8, without what ends them and without a byte order mark.

    Returns:
        A signed number of 32 bits, as Java has it.
    """
    value = 0
    # Not splitlines(), to which a form feed ends a line too.
    for line in re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff")):
        value = zlib.crc32(line.encode(), value)
    return value - (1 << 32) if value >= 1 << 31 else value
