# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rollbacks drafted for the good migrations of strangers, rehearsed in the place of those that people wrote."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting.written import About, rollback_text
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.script import decode_script

from benchmarks.drafted import Played, drafted
from benchmarks.migration_stories.playing import chain_for, lacks
from benchmarks.migration_stories.story import DEPLOYED, PLACES, Story, read_stories
from benchmarks.on_each_core import on_each_core
from demo.local_server import LocalServer

__all__ = ["good_ones", "rehearsed"]


def good_ones(server: LocalServer, names: Sequence[str] = ()) -> list[Story]:
    """Those that are to be deployed as they are, in the runbook's own layout, in which drafts are written."""
    return [
        one
        for one in read_stories()
        if one.verdict.kind == DEPLOYED
        and one.script("apply")
        and (not names or one.name in names)
        and not lacks(one, server)
    ]


def rehearsed(server: LocalServer, stories: Sequence[Story]) -> Iterator[Played]:
    """What comes of each draft; roles that the stories name must be there."""
    yield from on_each_core(server, _rehearsed, enumerate(stories, 1))


def _rehearsed(server: LocalServer, task: tuple[int, Story]) -> Played:
    number, story = task
    with chain_for(server, story, number) as chain:
        script = decode_script(story.script("apply").encode(), story.name)
        draft = drafted(server, chain.database, script, story.migration)
        about = About(story.name, story.migration, "", "2026-11-27", "", None)
        chain.write(PLACES["rollback"].format(name=story.name), rollback_text(about, draft))
        unfinished = tuple(sentence for _line, sentence in draft.open_points())
        ended = None if unfinished else chain.rehearse(story.policy)
        right = ended is None or ended.outcome == "rehearsed"
        return Played(story.name, unfinished, "" if right else str(ended))
