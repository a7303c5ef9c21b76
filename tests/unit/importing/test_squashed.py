# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Of a squashed migration and what it replaces one is imported, and never both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.plugin_utils.importing.django import facts_of, squashed_of
from ansible_collections.pgops.runbook.plugins.plugin_utils.importing.squashed import to_import
from ansible_collections.pgops.runbook.plugins.plugin_utils.importing.told import Half, Listed, Squashed
from ansible_collections.pgops.runbook.plugins.plugin_utils.importing.work import Imported, import_migrations


def one(name: str, *requires: str) -> Listed:
    return Listed(f"p.{name}", f"p_{name}", f"p.{name}", tuple(f"p.{key}" for key in requires), f"p.{name}")


FIRST, SECOND = one("a"), one("b", "a")
SQUASH, LAST = one("s"), one("c", "s")
OF_BOTH = {"p.s": Squashed(("p.a", "p.b"), {"p.a": FIRST, "p.b": SECOND})}


class Project:
    """A project of Django that lists migrations, and has these that replace others."""

    name = "django"
    title = "Django"

    def __init__(self, *listing: Listed, squashed: Any = None) -> None:
        self._listing, self._squashed = list(listing), squashed or {}

    def listing(self) -> list[Listed]:
        return self._listing

    def other_database(self) -> str:
        return ""

    def squashed(self) -> Any:
        return self._squashed

    def half(self, one: Listed, back: bool) -> Half:
        return Half(f"SELECT '{one.key}, back: {back}'", 1)


def imported(root: Path, *listing: Listed, squashed: Any = None) -> Imported:
    return import_migrations(Project(*listing, squashed=squashed), str(root / "sql"), "auto", True)


def stems(found: Imported) -> list[str]:
    return [new.stem for new in found.new]


def header(root: Path, stem: str) -> str:
    text = (root / "sql" / "migrations" / f"{stem}.sql").read_text(encoding="utf-8")
    return text.split("-- Imported from")[0]


def test_a_new_folder_gets_the_squashed_one_which_stands_for_all_that_it_replaces(tmp_path: Path) -> None:
    found = imported(tmp_path, SQUASH, LAST, squashed=OF_BOTH)
    assert stems(found) == ["001_p_s", "002_p_c"]
    assert "-- Recorded as: p.s replaces p.a, p.b\n" in header(tmp_path, "001_p_s")
    # Where some of them are applied, Django lists what it replaces instead.
    again = imported(tmp_path, FIRST, SECOND, one("c", "b"), one("d", "b"), squashed=OF_BOTH)
    assert stems(again) == ["003_p_d"]
    assert "-- Requires: 001_p_s\n" in header(tmp_path, "003_p_d")
    assert (again.there, again.gone) == (1, ())


def test_a_folder_that_has_what_is_replaced_keeps_it(tmp_path: Path) -> None:
    imported(tmp_path, FIRST, SECOND)
    found = imported(tmp_path, SQUASH, LAST, squashed=OF_BOTH)
    assert (stems(found), found.gone) == (["003_p_s", "004_p_c"], ())
    text = header(tmp_path, "003_p_s")
    assert "-- Requires: 001_p_a,\n--     002_p_b\n-- Recorded as: p.s\n" in text
    assert "-- Requires: 003_p_s\n" in header(tmp_path, "004_p_c")
    for path in ("migrations/003_p_s.sql", "rollback/003_p_s_rollback.sql"):
        body = (tmp_path / "sql" / path).read_text(encoding="utf-8")
        assert "-- What p.s does, these have done: 001_p_a, 002_p_b" in body
        assert "SELECT 'p.s changes nothing in the database';" in body
    assert imported(tmp_path, SQUASH, LAST, squashed=OF_BOTH).new == ()
    # The project has removed what was replaced, and with it what says so.
    assert imported(tmp_path, SQUASH, LAST).new == ()


def test_what_a_folder_lacks_of_those_replaced_is_imported_by_itself(tmp_path: Path) -> None:
    imported(tmp_path, FIRST)
    assert stems(imported(tmp_path, SQUASH, squashed=OF_BOTH)) == ["002_p_b", "003_p_s"]
    assert "-- Requires: 001_p_a\n" in header(tmp_path, "002_p_b")


def test_what_is_replaced_is_not_imported_beside_what_replaces_it() -> None:
    """Where a database has applied some of them, Django lists them, and not the squashed one."""
    assert to_import([FIRST, SECOND, LAST], {"p.s"}, {"p.a", "p.b"}, {}) == [LAST]
    assert to_import([FIRST, SECOND], {}, {}, {}) == [FIRST, SECOND]


def test_and_is_asked_for_where_the_project_no_longer_has_it(tmp_path: Path) -> None:
    imported(tmp_path, FIRST)
    lost = {"p.s": Squashed(("p.a", "p.b"), {"p.a": FIRST})}
    with pytest.raises(
        Refused, match=r"p\.s replaces p\.a, p\.b\..* no longer has a file of p\.b\. Nothing was"
    ) as refused:
        imported(tmp_path, SQUASH, squashed=lost)
    assert refused.value.code == "import_in_the_way"


def test_what_the_files_of_a_project_say_is_read() -> None:
    told = facts_of('words\nfacts={"vendor": "sqlite", "migrations": []}\r\nmore words\n')
    assert told == {"vendor": "sqlite", "migrations": []}
    assert facts_of("nothing\n") == {"vendor": "postgresql", "migrations": []}
    migrations = [
        [["p", "a"], [], []],
        [["p", "b"], [], [["p", "a"], ["q", "__first__"]]],
        [["p", "s"], [["p", "a"], ["p", "b"], ["p", "lost"]], []],
    ]
    found = squashed_of(migrations)["p.s"]
    assert found.replaces == ("p.a", "p.b", "p.lost")
    assert list(found.there) == ["p.a", "p.b"]
    assert found.there["p.b"].requires == ("p.a", "q.__first__")
