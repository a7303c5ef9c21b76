# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Stories of strangers' migrations: all of them can be read, and each says what must come."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.reasons import REASONS

from benchmarks.migration_stories.chain import TAKEN_BY
from benchmarks.migration_stories.playing import Played
from benchmarks.migration_stories.story import STORIES, StoryError, parse_story, read_stories
from benchmarks.migrations_of_strangers import WANTED, measure

STORY = """-- Two tables.
-- Verdict: {verdict}
{more}--- before
CREATE TABLE a ();
--- apply
CREATE TABLE b ();
--- rollback
DROP TABLE b;
"""


def story(verdict: str = "deployed", more: str = "") -> Any:
    return parse_story("two", STORY.format(verdict=verdict, more=more))


def test_there_are_as_many_as_are_wanted_and_each_is_another_one() -> None:
    stories = read_stories()
    assert len(stories) >= WANTED
    kinds = Counter(one.verdict.kind for one in stories)
    assert min(kinds.values()) >= 10
    assert len({(one.before, *one.files.values()) for one in stories}) == len(stories)


def test_reason_codes_and_variables_of_verdicts_are_those_that_there_are() -> None:
    for one in read_stories():
        if one.verdict.reason_code:
            assert one.verdict.reason_code in REASONS, one.name
        for variable in {**one.policy, **(one.verdict.consent or {})}:
            assert variable in TAKEN_BY, one.name


def test_the_folder_holds_nothing_but_stories() -> None:
    assert {path.suffix for path in STORIES.iterdir()} == {".sql"}


def test_scripts_get_their_places_and_keep_their_bytes() -> None:
    found = story()
    assert found.files == {
        "migrations/002_two.sql": "CREATE TABLE b ();\n",
        "rollback/002_two_rollback.sql": "DROP TABLE b;\n",
    }
    assert (found.about, found.before, found.script("rollback")) == (
        "Two tables.",
        "CREATE TABLE a ();\n",
        "DROP TABLE b;\n",
    )


def test_a_consent_is_told_with_what_comes_without_it() -> None:
    found = story("consent accept_residue=true, check_failed without it", "-- Names: a b\n").verdict
    assert (found.kind, found.reason_code, found.names, found.consent) == (
        "consent",
        "check_failed",
        ("a b",),
        {"accept_residue": "true"},
    )


@pytest.mark.parametrize("verdict", ["", "fine", "refused", "consent accept_residue", "deployed, perhaps"])
def test_a_story_without_a_verdict_is_none(verdict: str) -> None:
    with pytest.raises(StoryError, match="two: its verdict"):
        story(verdict, "-- Names: x\n")


def test_a_refusal_has_to_say_what_it_names() -> None:
    with pytest.raises(StoryError, match="does not say what the refusal has to name"):
        story("refused check_failed")


def test_a_part_stands_once() -> None:
    with pytest.raises(StoryError, match="rollback twice"):
        parse_story("two", STORY.format(verdict="deployed", more="") + "--- rollback\nSELECT 1;\n")


def test_without_a_migration_there_is_no_story() -> None:
    with pytest.raises(StoryError, match="no migration"):
        parse_story("two", "-- x\n-- Verdict: deployed\n--- before\nSELECT 1;\n")


def test_a_wrong_verdict_fails_the_measurement() -> None:
    right = [Played(story())] * 3
    assert all(one.passed for one in measure(right, wanted=3) if one.tried)
    rows = measure([*right, Played(story(), ["it must be deployed"], refused=True)], wanted=3)
    assert [one.passed for one in rows] == [False, False, False]
    assert "two: it must be deployed" in rows[0].notes


def test_too_few_stories_fail_it_too() -> None:
    assert not measure([Played(story())])[0].passed
