# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Texts that match a pattern."""

from __future__ import annotations

import re
from random import Random

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.generation.patterns import (
    NotMade,
    text_like,
    text_matching,
)


@pytest.mark.parametrize(
    "pattern",
    [
        r"^[A-Z]{3}-\d{2,4}$",
        r"^(red|green|blue)$",
        r"^#[0-9a-fA-F]{6}$",
        r"^\w+@\w+\.(com|org)$",
        r"^a?b*c+(?:d|e){2}$",
        r"^[^\s@]+@[^\s@]+$",
        r"^[]x-]+$",
        r"^\+?[0-9]{1,3}$",
        r"",
    ],
)
def test_a_text_matches_its_pattern(pattern: str) -> None:
    chance = Random(1)
    for _ in range(200):
        assert re.search(pattern, text_matching(pattern, chance))


@pytest.mark.parametrize(
    "pattern",
    ["(?=a)b", r"(a)\1", "a{2", "(a", "a)", "*a", "[a", "[[:nonsense:]]", "a{5000}", "\\", "((" * 30],
)
def test_what_is_not_simple_is_not_made(pattern: str) -> None:
    if pattern == "a{2":
        assert text_matching(pattern, Random(1)) == "a{2"
        return
    with pytest.raises(NotMade):
        text_matching(pattern, Random(1))


def test_named_classes_are_those_of_posix() -> None:
    assert re.fullmatch(r"[a-z]\d", text_matching("^[[:lower:]][[:digit:]]$", Random(1)))


@pytest.mark.parametrize(("pattern", "expected"), [("a%c", "a.+c"), ("_", "."), ("100\\%", "100%"), ("", "")])
def test_like(pattern: str, expected: str) -> None:
    assert re.fullmatch(expected, text_like(pattern, Random(3)))
