# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A deploy of 009 and its emergency rollback, beside bare client programs that do the same work.

Twice: once with nothing beside it, and once with a reader and a writer of ``files`` that note how long they wait.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from ansible_collections.pgops.runbook.plugins.module_utils.content.fingerprint import content_fingerprint

from benchmarks.speed.bench import PROJECT, Bench
from benchmarks.speed.library import LIBRARY, library
from benchmarks.speed.probe import Statements
from benchmarks.speed.turns import orders

__all__ = ["commands", "waits"]

APPLY = PROJECT / "sql" / "migrations" / "009_text_metadata.sql"
ROLLBACK = PROJECT / "sql" / "rollback" / "009_text_metadata_rollback.sql"
UNDER_TEST, COPY, SMALL = "library_under_test", "library_restored", "library_small"

Side = Callable[[Bench, str, str, Path, Statements | None], None]


def commands(bench: Bench) -> None:
    """Undisturbed, with emergency_backup as it is by default; and the memory of a deploy, at two sizes."""
    with library(bench, max(1, bench.sizes.files // 10), SMALL):
        _in_turns(bench, "commands", {"runbook": _by_runbook, "psql": _by_hand, "small": _small}, None)


def waits(bench: Bench) -> None:
    """With a reader and a writer, and emergency_backup=salvage."""
    reader = "SELECT filename FROM files WHERE id = 1"
    writer = "UPDATE files SET filename = filename WHERE id = 2"
    _in_turns(bench, "waits", {"runbook": _by_runbook, "psql": _by_hand}, Statements(reader, writer))


def _in_turns(bench: Bench, story: str, sides: dict[str, Side], statements: Statements | None) -> None:
    for number, order in enumerate(orders(sides, bench.sizes.turns, bench.chance), 1):
        for side in order:
            template = SMALL if side == "small" else LIBRARY
            with bench.folder(f"{story}_{side}") as folder, bench.database(UNDER_TEST, template) as database:
                sides[side](bench, story, database, folder, statements)
        bench.say(f"turn {number} of {bench.sizes.turns}")


def _by_runbook(bench: Bench, story: str, database: str, folder: Path, statements: Statements | None) -> None:
    application = bench.application(database, folder)
    own = f"{story}/runbook"
    with bench.waits(f"{own}/deploy", database, statements):
        deploy = bench.playbook(application, "deploy.yml", "migration=009")
    kind = [] if statements is None else ["emergency_backup=salvage"]
    with bench.waits(f"{own}/rollback", database, statements):
        rollback = bench.playbook(application, "emergency_rollback.yml", "migration=009", *kind)
    bench.add(
        {
            f"{own}/deploy": deploy.seconds,
            f"{own}/steps": sum(deploy.steps.values()),
            f"{own}/backup": deploy.steps["backup"] + deploy.steps["verify_restore"],
            f"{own}/rehearse": deploy.steps["rehearse"],
            f"{own}/rollback": rollback.seconds,
            f"{own}/controller": deploy.controller,
            f"{own}/largest": deploy.largest,
        }
    )


def _small(bench: Bench, story: str, database: str, folder: Path, _: Statements | None) -> None:
    """A deploy of the small library, for the memory that it takes."""
    done = bench.playbook(bench.application(database, folder), "deploy.yml", "migration=009")
    bench.add({f"{story}/small/controller": done.controller, f"{story}/small/largest": done.largest})


def _by_hand(bench: Bench, story: str, database: str, folder: Path, statements: Statements | None) -> None:
    """The same work, and then twice a rollback: by the script alone, and as the guide has it."""
    programs = bench.programs
    backup, rehearsal, fingerprint = _on_a_copy(bench, database, folder)
    with bench.waits(f"{story}/psql/deploy", database, statements):
        apply = programs.script(database, APPLY)
    with bench.waits(f"{story}/psql/rollback", database, statements):
        alone = programs.script(database, ROLLBACK)
    programs.script(database, APPLY)
    dump = programs.dump_as_script(database, folder / "whole.sql")
    guide = dump + programs.script(database, ROLLBACK, one_transaction=False)
    bench.add(
        {
            f"{story}/psql/all": backup + rehearsal + apply,
            f"{story}/psql/backup": backup,
            f"{story}/psql/rehearse": rehearsal + fingerprint,
            f"{story}/psql/rollback": alone,
            f"{story}/guide/rollback": guide,
        }
    )


def _on_a_copy(bench: Bench, database: str, folder: Path) -> tuple[float, float, float]:
    """Seconds of dumping and restoring; of applying, rolling back and applying again; of one fingerprint."""
    programs = bench.programs
    backup = programs.dump(database, folder / "dump")
    started = time.perf_counter()
    with bench.database(COPY) as copy:
        backup += time.perf_counter() - started
        backup += programs.restore(copy, folder / "dump")
        rehearsal = sum(programs.script(copy, script) for script in (APPLY, ROLLBACK, APPLY))
        started = time.perf_counter()
        with contextlib.closing(bench.server.connect(copy)) as connection, connection.cursor() as cursor:
            content_fingerprint(cursor)
        fingerprint = time.perf_counter() - started
    return backup, rehearsal, fingerprint
