# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A rollback drafted from what a database has, and what came of it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from ansible_collections.pgops.runbook.plugins.module_utils.definitions.answers import answers_to
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import connect
from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting.draft import Draft, draft_rollback
from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting.live import Live

from benchmarks.library_database import target_of
from demo.local_server import LocalServer

__all__ = ["Played", "drafted"]

ROUNDS = 20


@dataclass(frozen=True)
class Played:
    """What came of one draft.

    Attributes:
        name: of the migration.
        unfinished: what the draft says is open.
        wrong: why schema or rows are not what they were; empty where they are.
        misjudged: what the drafted verify script says of the migration in place, or that it says nothing without it.
    """

    name: str
    unfinished: tuple[str, ...]
    wrong: str
    misjudged: str = ""

    @property
    def passed(self) -> bool:
        """It says that it is whole, and is."""
        return not self.unfinished and not self.wrong

    @property
    def wrong_in_silence(self) -> bool:
        return bool(self.wrong) and not self.unfinished


def drafted(server: LocalServer, database: str, text: str, version: str = "001") -> Draft:
    """The draft for a script, with what the database has."""
    where = target_of(server, database)
    live = Live()
    for _ in range(ROUNDS):
        draft = draft_rollback(text, live, version)
        if draft is not None:
            return draft
        with contextlib.closing(connect(where)) as connection:
            live.answered(answers_to(live.questions, connection, where, server.bindir))
    raise AssertionError(f"the draft goes on asking: {live.questions} {text}")
