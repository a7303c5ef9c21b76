# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a file is known to be of a certain layout: its name, or a line that only one tool writes."""

from __future__ import annotations

import re

__all__ = [
    "DBMATE_MARK",
    "FLYWAY_NAME",
    "GOOSE_MARK",
    "NUMBERED_NAME",
    "YOYO_ROLLBACK",
    "layout_of_name",
    "layout_of_text",
]

# dbmate's documentation, "Creating Migrations"; what follows on the line are options.
DBMATE_MARK = re.compile(r"^--[ \t]*migrate:(?P<half>up|down)\b[ \t]*(?P<options>[^\r\n]*)", re.M)
# goose's documentation, "SQL Migrations".
GOOSE_MARK = re.compile(
    r"^[ \t]*--[ \t]*\+goose[ \t]+(?P<word>up|down|statementbegin|statementend|no transaction|envsub on|envsub off)"
    r"(?P<options>)[ \t]*\r?$",
    re.M | re.I,
)
# Flyway's documentation, "Migrations": prefix, version with dots or underscores, two underscores, description.
FLYWAY_NAME = re.compile(
    r"(?P<kind>[VUB])(?P<version>\d+(?:[._]\d+)*)(?:__(?P<words>.*))?\.sql|R__(?P<again>.+)\.sql"
)
# golang-migrate's documentation, "Migration Filename Format".
NUMBERED_NAME = re.compile(r"(?P<version>\d+)_(?P<words>.+)\.(?P<half>up|down)\.sql")

# yoyo's documentation, "Migrations as SQL scripts".
YOYO_ROLLBACK = ".rollback.sql"


def layout_of_name(name: str) -> str | None:
    """The layout whose files have such a name, or None; those of dbmate and goose are known by their text only."""
    if FLYWAY_NAME.fullmatch(name) and "__" in name:
        return "flyway"
    if name.endswith(YOYO_ROLLBACK):
        return "yoyo"
    return "golang" if NUMBERED_NAME.fullmatch(name) else None


def layout_of_text(text: str) -> str | None:
    """The layout whose marks the text has, or None."""
    if DBMATE_MARK.search(text):
        return "dbmate"
    return "goose" if GOOSE_MARK.search(text) else None
