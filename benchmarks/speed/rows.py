# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which figures are put beside which, and what they may be at most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchmarks.speed.figures import Comparison, Target

__all__ = ["ROWS", "Row", "comparisons"]


class Row(NamedTuple):
    """One row of the table.

    Attributes:
        name: short, for plots.
        own: name of the runbook's series.
        peer: name of the series beside it.
        beside: what that is, in words.
    """

    name: str
    what: str
    own: str
    peer: str
    beside: str
    target: Target | None = None
    unit: str = "s"


COMMANDS = "pg_dump -Fd -j2, pg_restore -j2, psql for each script"
PSQL = "psql -1 -f of the rollback alone"
GUIDE = "the guide's way: pg_dump of all, psql"
TO_PSQL = Target(plus=2.5, where="on an almost empty library")
TO_GUIDE = Target(0.1, where="at 1,000,000 files")
LOCK_OF_009 = Target(1.2, 0.03, where="at 1,000,000 files")
LOCK_OF_COLUMN = Target(1.2, 0.03, where="among 10,000 tables")


def _waits(story: str, what: str, target: Target) -> list[Row]:
    """How long a reader and a writer waited at most, in a deploy and in a rollback."""
    return [
        Row(
            f"{who} waits, {work} of {what}",
            f"longest wait of a {who} in the {work} of {what}",
            f"{story}/runbook/{work}/{who}",
            f"{story}/psql/{work}/{who}",
            "psql -1 -f of the script",
            target,
        )
        for work in ("deploy", "rollback")
        for who in ("reader", "writer")
    ]


ROWS = (
    Row("deploy of 009", "whole deploy of 009", "commands/runbook/deploy", "commands/psql/all", COMMANDS),
    Row(
        "deploy, beside its steps",
        "whole deploy of 009",
        "commands/runbook/deploy",
        "commands/runbook/steps",
        "what its steps took",
        Target(plus=4),
    ),
    Row(
        "backup, verify_restore",
        "backup, verify_restore and proof",
        "commands/runbook/backup",
        "commands/psql/backup",
        "pg_dump -Fd -j2, pg_restore -j2",
        Target(1.25),
    ),
    Row(
        "rehearsal",
        "rehearsal",
        "commands/runbook/rehearse",
        "commands/psql/rehearse",
        "psql of its three scripts, one fingerprint",
        Target(1.5),
    ),
    *(
        Row(
            f"rollback{short}, beside {peer}",
            f"whole emergency rollback of 009{kind}",
            f"{story}/runbook/rollback",
            f"{story}/{peer}/rollback",
            words,
            target,
        )
        for story, short, kind in (
            ("commands", "", ""),
            ("waits", " (salvage)", ", emergency_backup=salvage"),
        )
        for peer, words, target in (("psql", PSQL, TO_PSQL), ("guide", GUIDE, TO_GUIDE))
    ),
    Row(
        "data fingerprint",
        "data fingerprint, two workers",
        "fingerprint/runbook",
        "fingerprint/copy",
        "COPY of every table to /dev/null, two workers",
        Target(1.0),
    ),
    *_waits("waits", "009", LOCK_OF_009),
    *_waits("tables", "ADD COLUMN", LOCK_OF_COLUMN),
    Row(
        "ten migrations",
        "all ten migrations (pending), empty database",
        "migrations/runbook/all",
        "migrations/psql",
        "psql -1 -f of each",
        Target(0, 8),
    ),
    *(
        Row(
            f"apply of ten, beside {tool}",
            "apply of all ten migrations",
            "migrations/runbook/apply",
            f"migrations/{tool}",
            tool,
            Target(1.0),
        )
        for tool in ("dbmate", "sqitch")
    ),
    *(
        Row(
            f"memory of {short}",
            f"most memory of {words} in a deploy of 009",
            f"commands/runbook/{which}",
            f"commands/small/{which}",
            "the same with a tenth of the files",
            Target(1.1, where="from 10,000 to 1,000,000 files"),
            "MB",
        )
        for which, short, words in (
            ("controller", "ansible-playbook", "ansible-playbook"),
            ("largest", "a step", "any one process that it starts"),
        )
    ),
)


def comparisons(samples: Mapping[str, Sequence[float]], rows: Sequence[Row] = ROWS) -> list[Comparison]:
    """Those rows for which both series are there.

    Args:
        samples: name of a series -> its figures in seconds or bytes.
    """
    return [
        Comparison(row.name, row.what, row.beside, samples[row.own], samples[row.peer], row.unit, row.target)
        for row in rows
        if samples.get(row.own) and samples.get(row.peer)
    ]
