# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Cases in which nothing dies, and what is around the runbook is not as it should be, until somebody mends it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from benchmarks.fault_stories.around import (
    MEBIBYTE,
    Around,
    environment,
    few_connections,
    full,
    full_data,
    planted_link,
    read_only,
    setting,
    transaction_open,
)
from benchmarks.fault_stories.commands import STARTS
from benchmarks.fault_stories.judge import Command, Verdict, judge
from benchmarks.fault_stories.kills import Case, Kill
from benchmarks.fault_stories.stage import Stage

__all__ = ["SpoiltBackup", "Surrounding", "surroundings"]


@dataclass(frozen=True)
class Surrounding(Case):
    """The command runs inside of a context that is left before anybody looks.

    Attributes:
        around: the context.
    """

    around: Around

    def play(self, stage: Stage, command: Command, say: Callable[[str], None]) -> Verdict | None:
        stage.begin(STARTS[self.command])
        with self.around(stage):
            play = stage.play(*command.arguments)
        say(f"{self.name}: exit {play.status}, {(play.record or {}).get('outcome')}")
        return judge(stage, command, play, say)


class SpoiltBackup(Kill):
    """The newest backup is deleted or damaged; what was to be restored from it cannot be any more."""

    def play(self, stage: Stage, command: Command, say: Callable[[str], None]) -> Verdict | None:
        if self.command == "restore":
            command = dataclasses.replace(command, impossible=("backup_damaged", "backup_missing"))
        return super().play(stage, command, say)


RESET = "ALTER ROLE {0} RESET ALL"
SETTINGS = (
    "TimeZone = 'Pacific/Kiritimati'",
    "DateStyle = 'SQL, DMY'",
    "standard_conforming_strings = off",
    "bytea_output = 'escape'",
    "client_encoding = 'LATIN1'",
    "search_path = ''",
    "statement_timeout = '1ms'",
    "lock_timeout = '1ms'",
    "idle_in_transaction_session_timeout = '1ms'",
    "idle_session_timeout = '1ms'",
    "default_transaction_read_only = on",
    "default_transaction_isolation = 'serializable'",
    "default_transaction_deferrable = on",
    "row_security = off",
    "quote_all_identifiers = on",
    "session_replication_role = 'replica'",
)


def _contexts(chance: Random) -> list[tuple[str, str, Around]]:
    """Kind, name, context."""
    found: list[tuple[str, str, Around]] = []
    if os.geteuid() == 0:  # others may not mount
        for folder in ("backups", "artifacts"):
            found += [
                ("disk full", f"{size} bytes left for {folder}", full(folder, size))
                for size in (0, chance.randrange(4096, 40_000, 4096))
            ]
            found.append(("folder read-only", f"{folder} read-only", read_only(folder)))
        found += [
            ("disk full", f"{size // MEBIBYTE} MiB left for the server", full_data(size))
            for size in (MEBIBYTE, chance.randint(3, 30) * MEBIBYTE)
        ]
        found.append(("planted link", "artifacts/latest is a link", planted_link("artifacts/latest")))
    found += [("role settings", one, setting(f"ALTER ROLE {{0}} SET {one}", RESET)) for one in SETTINGS]
    found += [
        ("connection limit", f"{free} connections free", few_connections(free)) for free in (3, 4, 5, 6, 7)
    ]
    found += [
        ("long transaction", statement, transaction_open(statement))
        for statement in (
            "SELECT FROM notes",
            "UPDATE schema_migrations SET version = version",
            "LOCK TABLE notes IN SHARE UPDATE EXCLUSIVE MODE",
        )
    ]
    found += [
        (
            "clock",
            f"the controller's and the target's clock {seconds} s off",
            environment(PLANTED_CLOCK=seconds),
        )
        for seconds in ("-3600", "86400", "-86400", "315360000")
    ]
    found += [
        ("clock", f"time zone {zone}", environment(TZ=zone)) for zone in ("Asia/Kathmandu", "Pacific/Apia")
    ]
    return found


def surroundings(counts: Mapping[str, Mapping[str, int]], chance: Random) -> list[Case]:
    """All cases of this room.

    Args:
        counts: command -> step -> its statements.
        chance: how large, and when.
    """
    cases: list[Case] = [
        Surrounding(kind, command, f"{command}, {name}", around)
        for command in counts
        for kind, name, around in _contexts(chance)
    ]
    spoilt = {"deploy": ("verify_restore", "rehearse", "apply"), "restore": ("restore", "swap")}
    for command in counts:
        for step in spoilt.get(command, ()):
            for action in ("delete", "damage"):
                at = chance.randint(1, counts[command][step])
                name = f"{command}, the backup: {action} at statement {at} of {step}"
                cases.append(SpoiltBackup("backup spoilt", command, name, step, at, action))
    return cases
