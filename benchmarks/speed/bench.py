# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What all measurements share: the server, databases made from templates, playbooks, and the figures so far."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from psycopg2 import sql

from benchmarks.memory import Peaks
from benchmarks.speed.probe import Statements, probing
from benchmarks.speed.programs import Programs
from demo.local_server import LocalServer
from tests.integration.stories.application import Application

__all__ = ["Bench", "Done", "Sizes"]

PROJECT = Path(__file__).resolve().parents[2]
LINES_SHOWN = 25


class Sizes(NamedTuple):
    """How much is measured.

    Attributes:
        files: of the library.
        tables: of the schema to which a column is added.
        turns: how often each is measured.
    """

    files: int
    tables: int
    turns: int


class Done(NamedTuple):
    """A playbook that has ended well.

    Attributes:
        seconds: from the command's start to its end.
        steps: step -> its own seconds, as run.json has them.
        controller: the most memory that ansible-playbook itself has held, in bytes.
        largest: the most that one of the processes has held that it has started.
    """

    seconds: float
    steps: dict[str, float]
    controller: float
    largest: float


@dataclass
class Bench:
    """One session of measurements.

    Attributes:
        samples: name of a series -> its figures in seconds or bytes, one a turn.
        release: of PostgreSQL, once the server runs.
    """

    server: LocalServer
    scratch: Path
    sizes: Sizes
    chance: Random
    say: Callable[[str], None]
    samples: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    release: str = ""

    @property
    def programs(self) -> Programs:
        return Programs(self.server)

    def add(self, figures: Mapping[str, float]) -> None:
        """One figure more to each of these series."""
        for name, figure in figures.items():
            self.samples[name].append(figure)

    @contextlib.contextmanager
    def database(self, name: str, template: str = "template0") -> Iterator[str]:
        """A new database, a copy of the template; dropped at the end."""
        self._administer("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", name, template)
        try:
            yield name
        finally:
            self.drop(name)

    def drop(self, name: str) -> None:
        """A database, with whoever is still connected to it."""
        self._administer("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def rename(self, name: str, new: str) -> None:
        """A database that nobody is connected to."""
        self._administer("ALTER DATABASE {} RENAME TO {}", name, new)

    @contextlib.contextmanager
    def folder(self, name: str) -> Iterator[Path]:
        """A folder that goes, with the backups in it, when its turn has ended."""
        path = self.scratch / name
        path.mkdir()
        try:
            yield path
        finally:
            shutil.rmtree(path)

    def application(self, database: str, folder: Path, sql_dir: Path = PROJECT / "sql") -> Application:
        return Application(self.server, folder, sql_dir, [database])

    def playbook(self, application: Application, name: str, *options: str) -> Done:
        """Run one to its end.

        Args:
            options: of the command, ``migration=009`` for ``-e migration=009``.

        Raises:
            RuntimeError: it failed.
        """
        arguments = [part for option in options for part in ("-e", option)]
        started = time.perf_counter()
        process = application.start(name, *arguments)
        peaks = Peaks(process.pid)
        peaks.start()
        try:
            output, _ = process.communicate()
        except BaseException:
            process.terminate()  # it would go on in a database that is dropped now
            process.wait()
            raise
        finally:
            seconds = time.perf_counter() - started
            peaks.ended.set()
            peaks.join()
        if process.returncode:
            end = "\n".join(output.splitlines()[-LINES_SHOWN:])
            raise RuntimeError(f"{name} {' '.join(options)} ended with status {process.returncode}:\n{end}")
        steps = _steps(application.artifacts / "latest" / "run.json")
        return Done(seconds, steps, peaks.controller, peaks.largest)

    @contextlib.contextmanager
    def waits(self, series: str, database: str, statements: Statements | None) -> Iterator[None]:
        """Note how long a reader and a writer wait at most until the end of the block; without statements, nothing."""
        if statements is None:
            yield
            return
        with probing(self.server, database, statements) as probes:
            yield
        for who, probe in probes.items():
            self.add({f"{series}/{who}": probe.longest})

    def execute(self, database: str, statement: str, *values: Any) -> None:
        """One statement, or several without values, in a session of its own without a transaction around it."""
        with contextlib.closing(self.server.connect(database)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement, values or None)

    def _administer(self, statement: str, *names: str) -> None:
        with contextlib.closing(self.server.connect("postgres")) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _steps(record: Path) -> dict[str, float]:
    seconds: dict[str, float] = defaultdict(float)
    for step in json.loads(record.read_text(encoding="utf-8"))["steps"]:
        seconds[step["step"]] += step["seconds"] or 0.0
    return dict(seconds)
