# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tags: names that people give to the state after a deploy, so that a rollback can go back to it by that name.

A tag stands in the receipt of preflight, and so in the chain of receipts: nothing else says what it means (decision
039). Everything here is a function of receipts.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from ..errors import Refused
from ..sentences import listed
from ..shapes import Receipt
from .receipts import committed_versions, in_force

__all__ = ["TagState", "check_new_tag", "check_tag", "state_of", "tag_states"]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


class TagState(NamedTuple):
    """The state of the database that has a tag.

    Attributes:
        tag: its name.
        run_id: of the deploy after which the database was in that state.
        started: when that deploy began, UTC text.
        versions: of all migrations that were applied then.
        deployed: of those that this deploy applied.
    """

    tag: str
    run_id: str
    started: str
    versions: frozenset[str]
    deployed: frozenset[str]

    def later(self, order: Sequence[str], applied: Collection[str]) -> list[str]:
        """What is applied now and was not then, in the order in which to take it back.

        Args:
            order: versions of sql_dir in order.
        """
        return [version for version in reversed(order) if version in applied and version not in self.versions]


def check_tag(tag: str) -> None:
    """
    Raises:
        Refused: it is no name.
    """
    if not NAME.fullmatch(tag):
        text = tag
        shown = text if len(text) <= 80 else text[:77] + "..."
        raise Refused(
            "setting_invalid",
            f"tag={shown!r} cannot be a tag: it has letters, digits, '.', '_' and '-', begins with a letter or digit,"
            " and has 80 at most, as in -e tag=release_7. Nothing was done.",
        )


def tag_states(receipts: Sequence[Receipt]) -> list[TagState]:
    """The states that have a tag, the newest first; of those with the same tag the newest alone.

    A deploy that has not come to its end, or was taken back by itself, gives none; nor does one in a database that a
    restore has replaced.

    Args:
        receipts: the whole chain, oldest first.
    """
    by_run: dict[str, list[Receipt]] = {}
    for receipt in in_force(receipts):
        by_run.setdefault(receipt["run_id"], []).append(receipt)
    states: dict[str, TagState] = {}
    for run_id, own in reversed(by_run.items()):
        opening = next((one for one in own if one["step"] == "preflight" and one["status"] == "ok"), None)
        tag = opening["outputs"].get("tag") if opening else None
        if opening is None or not tag or tag in states:
            continue
        done = frozenset(committed_versions(own))
        if done and done == {*opening["outputs"]["migrations"]}:
            versions = frozenset(opening["outputs"]["applied_before"]) | done
            states[tag] = TagState(tag, run_id, opening["started"], versions, done)
    return list(states.values())


def state_of(receipts: Sequence[Receipt], tag: str) -> TagState:
    """
    Raises:
        Refused: no deploy has that tag; names those that there are.
    """
    states = tag_states(receipts)
    for state in states:
        if state.tag == tag:
            return state
    known = f"Its tags: {listed([one.tag for one in states], 10, ', ')}" if states else "No deploy has one"
    raise Refused(
        "tag_unknown",
        f"No deploy that came to its end has the tag {tag} in this database. {known}. Or name the last migration that"
        " is to stay: -e to=<version>. Nothing was done.",
    )


def check_new_tag(receipts: Sequence[Receipt], tag: str, applied: Collection[str]) -> None:
    """A tag names one state: it is free again when what its deploy had applied was taken back.

    Raises:
        Refused: it is no name, or another deploy has it.
    """
    check_tag(tag)
    for state in tag_states(receipts):
        if state.tag == tag and state.deployed & {*applied}:
            raise Refused(
                "tag_taken",
                f"Tag {tag} is that of run {state.run_id}, which deployed {', '.join(sorted(state.deployed))}. Give"
                " this deploy another one. Nothing was done.",
            )
