# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The pages that `make documents` writes are those of today's tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.make import PAGES

PROJECT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_as_its_table_makes_it(name: str) -> None:
    assert (PROJECT / name).read_text(encoding="utf-8") == PAGES[name](), "make documents"
