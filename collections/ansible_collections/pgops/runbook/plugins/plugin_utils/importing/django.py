# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Migrations of a Django project, as its manage.py tells them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .program import ToolFailed, ask
from .statements import read_printed
from .told import DOUBLED, NOT_SQL, Half, Listed, Squashed, could_not_say

__all__ = ["Django", "facts_of", "half_of", "plan_of", "squashed_of"]

# A line of `showmigrations --plan --verbosity 2` (Django's documentation, "showmigrations").
_PLANNED = re.compile(
    r"^\[[X ]\]  (?P<app>[A-Za-z_]\w*)\.(?P<name>\S+)(?: \.\.\. \((?P<parents>.*)\))?[ \t\r]*$", re.M
)
# "MIGRATION NOW PERFORMS OPERATION THAT CANNOT BE WRITTEN AS SQL:" in Django 3.2, "THIS OPERATION CANNOT BE WRITTEN AS
# SQL" in 5.2, before or after the operation's own line.
_PYTHON = re.compile(r"^--.*\bOPERATION\b.*\bCANNOT BE WRITTEN AS SQL\b", re.M | re.I)
# What no command of Django's prints: its database, and which of the files on disk replace others.
_FACTS = (
    "import json; from django.db import connection; from django.db.migrations.loader import MigrationLoader;"
    " loader = MigrationLoader(None, load=False); loader.load_disk(); print('facts=' + json.dumps({'vendor':"
    " connection.vendor, 'migrations': [[key, one.replaces, one.dependencies] for key, one in"
    " loader.disk_migrations.items()]}, default=str))"
)
# What the project's own code prints comes before that.
_BEGINNING = re.compile(r"^(?:BEGIN;|--)", re.M)


class Django:
    """See told.Tool."""

    name = "django"
    title = "Django"

    def __init__(self, project: Path, python: str) -> None:
        self._project = project
        self._manage = [python, "manage.py"]
        self._told: dict[str, Any] | None = None

    def listing(self) -> list[Listed]:
        """All of the plan, in its order; Django reads from its database which are applied."""
        told = ask(
            [*self._manage, "showmigrations", "--plan", "--verbosity", "2", "--no-color"], self._project
        )
        return plan_of(told.text)

    def other_database(self) -> str:
        """By the engine that its settings name."""
        vendor = str(self._facts()["vendor"])
        return "" if vendor == "postgresql" else vendor

    def squashed(self) -> Mapping[str, Squashed]:
        """What the files on disk say that they replace."""
        return squashed_of(self._facts()["migrations"])

    def _facts(self) -> dict[str, Any]:
        """Asked once.

        Raises:
            ToolFailed: see program.ask.
        """
        if self._told is None:
            self._told = facts_of(ask([*self._manage, "shell", "--command", _FACTS], self._project).text)
        return self._told

    def half(self, migration: Listed, back: bool) -> Half:
        """What sqlmigrate prints."""
        app, _, name = migration.key.partition(".")
        words = ["sqlmigrate", *(["--backwards"] if back else []), "--no-color", "--", app, name]
        try:
            told = ask([*self._manage, *words], self._project)
        except ToolFailed as error:
            return could_not_say(f"sqlmigrate{' --backwards' if back else ''}", error)
        return half_of(told.text)


def plan_of(told: str) -> list[Listed]:
    """What ``showmigrations --plan --verbosity 2`` has printed."""
    return [_listed(match) for match in _PLANNED.finditer(told)]


def _listed(match: re.Match[str]) -> Listed:
    key = f"{match['app']}.{match['name']}"
    parents = tuple(filter(None, re.split(r",\s*", match["parents"] or "")))
    return Listed(key, f"{match['app']}_{match['name']}", key, parents, key)


def facts_of(told: str) -> dict[str, Any]:
    """What ``shell`` has printed; where it did not, the database is PostgreSQL's and nothing replaces anything."""
    line = re.search(r"^facts=(\{.*\})[ \t\r]*$", told, re.M)
    return {"vendor": "postgresql", "migrations": []} if line is None else json.loads(line[1])


def squashed_of(migrations: Sequence[Sequence[Any]]) -> dict[str, Squashed]:
    """Key of each migration on disk that replaces others -> what.

    Args:
        migrations: [[application, name], what it replaces, what it depends on] of each.
    """
    depends = {".".join(key): [".".join(one) for one in dependencies] for key, _, dependencies in migrations}
    squashed = {}
    for key, replaces, _ in migrations:
        keys = tuple(".".join(one) for one in replaces)
        if keys:
            there = {one: _on_disk(one, depends[one]) for one in keys if one in depends}
            squashed[".".join(key)] = Squashed(keys, there)
    return squashed


def _on_disk(key: str, depends: Sequence[str]) -> Listed:
    return Listed(key, key.replace(".", "_", 1), key, tuple(depends), key)


def half_of(told: str) -> Half:
    """What ``sqlmigrate`` has printed."""
    begins = _BEGINNING.search(told)
    printed = read_printed(told[begins.start() :] if begins else told)
    if printed.problem:
        return Half(printed.text, unfinished=(NOT_SQL.format(printed.problem),), is_sql=False)
    unfinished = []
    if _PYTHON.search(printed.text):
        unfinished.append("write as SQL what Django does in Python, where it says CANNOT BE WRITTEN AS SQL")
    if printed.doubled:
        unfinished.append(f"{DOUBLED}, and Django prints a % in a default as two")
    # Without an operation it prints nothing, and with atomic = False no BEGIN.
    one_by_one = printed.outside or (printed.statements > 0 and not printed.began)
    return Half(printed.text, printed.statements, one_by_one, tuple(unfinished))
