# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Migrations of strangers, each with the verdict that is right; all of them: make strangers."""

from __future__ import annotations

import dataclasses

import pytest

from benchmarks.migration_stories.playing import Played, play
from benchmarks.migration_stories.story import REFUSED, Story, Verdict, read_stories
from benchmarks.strangers import guests
from demo.local_server import LocalServer

STORIES = {one.name: one for one in read_stories()}

# A consent, and what nothing else in the tests plays.
SOME = (
    "django_remove_middle_field",
    "role_created_in_a_block",
    "role_created",
)


def played(server: LocalServer, story: Story, number: int = 900) -> Played:
    with guests(server):
        return play(server, story, number)


@pytest.mark.parametrize("name", SOME)
def test_a_migration_gets_the_verdict_that_is_right(server: LocalServer, name: str) -> None:
    assert played(server, STORIES[name]).wrong == []


def test_one_that_is_refused_though_it_is_good_is_found(server: LocalServer) -> None:
    story = dataclasses.replace(STORIES["rollback_forgets_index"], verdict=Verdict("deployed"))
    found = played(server, story)
    assert found.refused
    assert "rehearsal_rollback_schema_differs" in found.wrong[0]


def test_one_that_passes_though_it_is_careless_is_found(server: LocalServer) -> None:
    verdict = Verdict(REFUSED, "statement_failed", names=("x",))
    found = played(server, dataclasses.replace(STORIES["rails_change_default"], verdict=verdict))
    assert found.deployed
    assert found.wrong == ["it must be refused for statement_failed, and it ended deployed"]


def test_a_refusal_that_does_not_name_what_it_is_about_is_found(server: LocalServer) -> None:
    verdict = Verdict(REFUSED, "rollback_script_missing", names=("another file",))
    found = played(server, dataclasses.replace(STORIES["rollback_missing"], verdict=verdict))
    assert "does not name another file" in found.wrong[0]
