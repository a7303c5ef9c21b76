# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Drafts without a database: of scripts about which nothing has to be asked, or of which it has nothing."""

from __future__ import annotations

from typing import Any

from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting.draft import Draft, draft_rollback
from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting.live import Live

CONTEXT = {"schemas": ["public"], "user": "me", "version": 180000}


def draft(text: str, **known: Any) -> Draft:
    """The draft of a script; ``known`` has what the database says of a relation, None of all others."""
    live = Live()
    for _ in range(10):
        made = draft_rollback(text, live, "012")
        if made is not None:
            return made
        live.answered(
            [
                CONTEXT if question["type"] == "context" else known.get(".".join(question["names"]))
                for question in live.questions
            ]
        )
    raise AssertionError(live.questions)


def statements(made: Draft) -> list[str]:
    """What is sent, in its order."""
    return [
        statement
        for step in reversed(made.steps)
        for undo in reversed(step.undos)
        for statement in undo.statements
    ]
