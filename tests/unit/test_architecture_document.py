# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The map is of this house: its picture is made from the table of floors, and each place that it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.floors import MAP, with_picture

PROJECT = Path(__file__).resolve().parents[2]
PLUGINS = PROJECT / "collections/ansible_collections/pgops/runbook/plugins"
PLACES = (PROJECT, PLUGINS, PLUGINS.parent, PLUGINS / "module_utils")

TEXT = MAP.read_text(encoding="utf-8")
NAMED = sorted(
    {
        name
        for name in re.findall(r"`([\w./-]+)`", TEXT)
        if "/" in name or (name.endswith((".py", ".yml")) and not name.startswith("-"))
    }
)


def test_the_picture_is_that_of_the_table() -> None:
    assert with_picture(TEXT) == TEXT, "docs/architecture.md is stale: make documents"


@pytest.mark.parametrize("name", NAMED)
def test_each_place_exists(name: str) -> None:
    assert any((place / name).exists() for place in PLACES)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\]\(([\w./-]+?)(?:#[\w-]+)?\)", TEXT))))
def test_each_link_leads_somewhere(name: str) -> None:
    assert (PROJECT / "docs" / name).exists()
