# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The map is of this house, and short: its picture is made from the table of floors, and each place named exists.

What would not fit into five minutes is in docs/where.md, which is held to the same.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.floors import MAP, with_picture

PROJECT = Path(__file__).resolve().parents[2]
PLUGINS = PROJECT / "collections/ansible_collections/pgops/runbook/plugins"
PLACES = (PROJECT, PLUGINS, PLUGINS.parent, PLUGINS / "module_utils")

PAGES = {path.name: path.read_text(encoding="utf-8") for path in (MAP, MAP.with_name("where.md"))}
TEXT = PAGES[MAP.name]

#: A map of five to six minutes, by the pace at which people read such a page.
WORDS = 1300
QUESTIONS = 20
LONGEST_ROW = 300


def _named() -> list[tuple[str, str]]:
    """(page, place) of each place in the project that a page names."""
    return sorted(
        {
            (page, name)
            for page, text in PAGES.items()
            for name in re.findall(r"`([\w./-]+)`", text)
            if "/" in name or (name.endswith((".py", ".yml")) and not name.startswith("-"))
        }
    )


def _links() -> list[tuple[str, str, str]]:
    """(page, file, heading) of each link within the project; the file is empty for the page itself."""
    return sorted(
        {
            (page, name, heading)
            for page, text in PAGES.items()
            for name, heading in re.findall(r"\]\(([\w./-]*)(?:#([\w-]+))?\)", text)
        }
    )


def _anchors(text: str) -> list[str]:
    """What headings of a page are linked by, as GitHub and GitLab make it of their words."""
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]


def _questions() -> list[str]:
    """Rows of the table "Where do I change ...", without its head."""
    part = TEXT.split("\n## Where do I change ...\n")[1].split("\n## ")[0]
    return [line for line in part.splitlines() if line.startswith("| ")][2:]


def test_the_picture_is_that_of_the_table() -> None:
    assert with_picture(TEXT) == TEXT, "docs/architecture.md is stale: make documents"


@pytest.mark.parametrize(("page", "name"), _named())
def test_each_place_exists(page: str, name: str) -> None:
    assert any((place / name).exists() for place in PLACES)


@pytest.mark.parametrize(("page", "name", "heading"), _links())
def test_each_link_leads_somewhere(page: str, name: str, heading: str) -> None:
    there = PROJECT / "docs" / (name or page)
    assert there.exists()
    assert not heading or heading in _anchors(there.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES)
def test_no_two_headings_are_linked_by_the_same_words(page: str) -> None:
    anchors = _anchors(PAGES[page])
    assert len(anchors) == len(set(anchors))


def test_the_map_is_read_in_five_minutes() -> None:
    before, rest = TEXT.split("<!-- floors -->")
    prose = before + rest.split("<!-- /floors -->")[1]
    assert len(prose.replace("|", " ").split()) <= WORDS, "docs/where.md has room"


def test_no_row_of_the_map_is_a_page_of_its_own() -> None:
    long = [line for line in TEXT.splitlines() if line.startswith("|") and len(line) > LONGEST_ROW]
    assert long == []


def test_the_map_has_the_questions_that_are_asked_most() -> None:
    rows = _questions()
    assert len(rows) == QUESTIONS
    without = [row for row in rows if "](where.md#" not in row]
    assert without == [], "each row leads to its section"
