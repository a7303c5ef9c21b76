#!/usr/bin/env python3
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Measure what the controller takes for fleets of hundreds of databases, whose targets are simulated.

``python benchmarks/large_fleet.py`` runs a playbook over 100, 300 and 1,000 hosts of an inventory in one batch, and
prints how long each took and how much memory the controller held. The targets answer at once that there is nothing to
do, and the playbook has the four tasks that a deploy does then (benchmarks/simulated): the gate of the fleet,
preflight, and the end of the run, with its run.json, its report and its line in fleet.json, by the code of every
deploy. So the figures are what a host more costs the controller. ``--whole`` takes ``deploy.yml`` itself, with the
thirty tasks that it checks arguments with, or skips. Nothing in it is a test of time.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

PROJECT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[:0] = [str(PROJECT), str(PROJECT / "collections")]

from benchmarks.measurement import columns  # noqa: E402 - as a script, the path has to be set first
from benchmarks.memory import MEGABYTE, Peaks  # noqa: E402
from tests.integration.stories.application import Application, write_scripts  # noqa: E402

__all__ = ["Taken", "as_table", "main", "measure"]

SIMULATED = PROJECT / "benchmarks" / "simulated"


class Taken(NamedTuple):
    """One command.

    Attributes:
        hosts: of the inventory.
        seconds: from its start to its end.
        processor_seconds: of it and all that it has started.
        controller: the most that ansible-playbook itself has held in memory, in bytes.
    """

    hosts: int
    seconds: float
    processor_seconds: float
    controller: int


def as_table(taken: Sequence[Taken]) -> str:
    """A row a command: each figure, how often it has the first one's, and what each host more than in the row before
    has cost. Where that stays the same, it grows linearly."""
    rows = []
    for number, one in enumerate(taken):
        before = taken[number - 1] if number else None
        rows.append(
            (
                f"{one.hosts:,}",
                f"{one.hosts / taken[0].hosts:.1f}",
                f"{one.seconds:.1f} s",
                f"{one.seconds / taken[0].seconds:.1f}",
                _more(before, one, lambda each: each.seconds * 1000, "ms"),
                f"{one.processor_seconds:.1f} s",
                _more(before, one, lambda each: each.processor_seconds * 1000, "ms"),
                f"{one.controller / MEGABYTE:.0f} MB",
                f"{one.controller / taken[0].controller:.1f}",
                _more(before, one, lambda each: each.controller / 1024, "kB"),
            )
        )
    return columns(
        (
            *("hosts", "ratio", "time", "ratio", "a host more"),
            *("processor", "a host more", "controller", "ratio", "a host more"),
        ),
        rows,
    )


def _more(before: Taken | None, one: Taken, figure: Any, unit: str) -> str:
    """What each host has cost that is in this command and not in the one before."""
    if before is None or one.hosts <= before.hosts:
        return ""
    return f"{(figure(one) - figure(before)) / (one.hosts - before.hosts):.0f} {unit}"


def measure(folder: Path, hosts: int, forks: int, playbook: Path) -> Taken:
    """One deploy over so many hosts.

    Args:
        folder: for its inventory and artifacts; it is made.
        playbook: deploy.yml, or what is left of it.

    Raises:
        SystemExit: it failed, or its record does not have all of them.
    """
    nowhere: Any = SimpleNamespace(host="nowhere", port=5432, user="nobody", bindir="")
    names = [f"tenant_{number:05}" for number in range(1, hosts + 1)]
    application = Application(nowhere, folder, write_scripts(folder / "sql"), names)
    before, started = os.times(), time.monotonic()
    process = application.start(
        *(str(playbook), "-e", "migration=003"),
        env={
            "ANSIBLE_CONNECTION_PLUGINS": str(SIMULATED),
            "ANSIBLE_FORKS": str(forks),
        },
        ansible_connection="simulated",
        fleet_batches="100%",
    )
    memory = Peaks(process.pid)
    memory.start()
    output, _ = process.communicate()
    seconds, after = time.monotonic() - started, os.times()
    memory.ended.set()
    memory.join()
    (record,) = folder.glob("artifacts/*-fleet-*/fleet.json")
    statuses = [one["status"] for one in json.loads(record.read_text(encoding="utf-8"))["databases"]]
    if process.returncode != 0 or statuses != ["had_it"] * hosts:
        raise SystemExit(f"The deploy over {hosts} hosts failed:\n{output[-5000:]}")
    used = sum(after[kind] - before[kind] for kind in (2, 3))
    return Taken(hosts, seconds, used, memory.controller)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "hosts", type=int, nargs="*", default=[100, 300, 1000], help="how many (100 300 1000)"
    )
    parser.add_argument("--forks", type=int, default=4, help="how many at work together (4)")
    parser.add_argument("--whole", action="store_true", help="deploy.yml itself")
    parser.add_argument("--results", type=Path, help="file for the figures as JSON")
    return parser.parse_args()


def main() -> int:
    options = _options()
    print(f"{os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}, {options.forks} forks", flush=True)
    playbook = PROJECT / "deploy.yml" if options.whole else SIMULATED / "cheap_deploy.yml"
    taken = []
    with tempfile.TemporaryDirectory(prefix="pgops-large-fleet-") as scratch:
        for hosts in options.hosts:
            taken.append(measure(Path(scratch) / str(hosts), hosts, options.forks, playbook))
            one = taken[-1]
            figures = f"{one.processor_seconds:.1f} s of processor, {one.controller / MEGABYTE:.0f} MB"
            print(f"  {hosts} hosts: {one.seconds:.1f} s, {figures}", flush=True)
    print(as_table(taken))
    if options.results:
        options.results.write_text(json.dumps([one._asdict() for one in taken], indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    # What a caller's shell may have set has each program that is started compile its own source again.
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"):
        os.environ.pop(name, None)
    sys.exit(main())
