# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Cases in which nothing dies, and what is around the runbook is not as it should be, until somebody mends it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from benchmarks.fault_stories.commands import STARTS
from benchmarks.fault_stories.judge import Command, Verdict, judge
from benchmarks.fault_stories.kills import Case, Kill
from benchmarks.fault_stories.stage import Stage

__all__ = ["Surrounding", "surroundings"]

Around = Callable[[Stage], AbstractContextManager[None]]

MEBIBYTE = 2**20


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


# Disks -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _mounted(*arguments: str, at: Path) -> Iterator[None]:
    subprocess.run(["mount", *arguments, str(at)], check=True)  # noqa: S607
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=True)  # noqa: S607


def full(folder: str, size: int) -> Around:
    """A small disk in place of backups or artifacts; what was there is copied to it and back."""

    @contextlib.contextmanager
    def around(stage: Stage) -> Iterator[None]:
        place, aside = stage.work / folder, stage.work / f"{folder}.aside"
        place.rename(aside)
        place.mkdir()
        used = sum(path.stat().st_size + 4096 for path in aside.rglob("*"))
        with _mounted("-t", "tmpfs", "-o", f"size={used + size}", "tmpfs", at=place):
            shutil.copytree(aside, place, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(aside)
            try:
                yield
            finally:
                shutil.copytree(place, aside, symlinks=True)
        place.rmdir()
        aside.rename(place)

    return around


def full_data(size: int) -> Around:
    """A server whose disk has so many bytes left."""

    @contextlib.contextmanager
    def around(stage: Stage) -> Iterator[None]:
        data = stage.server.data
        aside = data.with_name("data.aside")
        stage.server.stop()
        data.rename(aside)
        data.mkdir()
        used = sum(path.lstat().st_blocks * 512 for path in aside.rglob("*"))
        with _mounted("-t", "tmpfs", "-o", f"size={used + size + 2 * MEBIBYTE},mode=0700", "tmpfs", at=data):
            _copy_into(aside, data)
            stage.server.start()
            try:
                yield
            finally:
                stage.server.stop(immediate=True)
                shutil.rmtree(aside)
                aside.mkdir()
                _copy_into(data, aside)
        data.rmdir()
        aside.rename(data)
        stage.server.start()

    return around


def _copy_into(source: Path, target: Path) -> None:
    subprocess.run(["cp", "-a", f"{source}/.", str(target)], check=True)  # noqa: S607 - with owners and modes


def read_only(folder: str) -> Around:
    """A folder that nobody may write, not even root."""

    @contextlib.contextmanager
    def around(stage: Stage) -> Iterator[None]:
        place = stage.work / folder
        with _mounted("--bind", str(place), at=place):
            subprocess.run(["mount", "-o", "remount,bind,ro", str(place)], check=True)  # noqa: S607
            yield

    return around


# The server ------------------------------------------------------------------------------------------------


def setting(statement: str, undo: str) -> Around:
    """A setting of the role or the database."""

    @contextlib.contextmanager
    def around(stage: Stage) -> Iterator[None]:
        stage.ask(statement.format(stage.server.user), "postgres")
        try:
            yield
        finally:
            with contextlib.closing(_plain(stage)) as connection, connection.cursor() as cursor:
                connection.autocommit = True
                cursor.execute(undo.format(stage.server.user))

    return around


def _plain(stage: Stage):  # type: ignore[no-untyped-def]  # psycopg2 has no types of its own
    """A session that no setting of the role keeps from writing."""
    import psycopg2

    server = stage.server
    options = "-c default_transaction_read_only=off -c statement_timeout=0 -c idle_session_timeout=0"
    return psycopg2.connect(
        host=server.host, port=server.port, user=server.user, dbname="postgres", options=options
    )


def few_connections(free: int) -> Around:
    """A server that lets in so many more."""

    @contextlib.contextmanager
    def around(stage: Stage) -> Iterator[None]:
        stage.ask("ALTER SYSTEM SET max_connections = 12", "postgres")
        stage.server.stop()
        stage.server.start()
        with contextlib.ExitStack() as held:
            for _ in range(12 - free):
                held.enter_context(contextlib.closing(stage.server.connect("postgres")))
            yield
        stage.ask("ALTER SYSTEM RESET max_connections", "postgres")
        stage.server.stop()
        stage.server.start()

    return around


def transaction_open(statement: str) -> Around:
    """Somebody has begun a transaction and gone to lunch."""

    @contextlib.contextmanager
    def around(stage: Stage) -> Iterator[None]:
        with contextlib.closing(stage.server.connect(stage.database)) as connection:
            with connection.cursor() as cursor:
                cursor.execute(statement)
            yield

    return around


# Time and processes ----------------------------------------------------------------------------------------


def environment(**variables: str) -> Around:
    """Other environment variables of ansible-playbook and all that it starts."""

    @contextlib.contextmanager
    def around(stage: Stage) -> Iterator[None]:
        stage.environment = dict(variables)
        yield
        stage.environment = {}

    return around


# Links -----------------------------------------------------------------------------------------------------


def planted_link(place: str) -> Around:
    """Another user has made a link where the runbook is about to write, to what is not his.

    Raises:
        AssertionError: something was written behind the link.
    """

    @contextlib.contextmanager
    def around(stage: Stage) -> Iterator[None]:
        victim = stage.work / "victim"
        victim.mkdir(mode=0o700)
        (victim / "run.json").write_text("precious", encoding="utf-8")
        link = stage.work / place
        if link.is_symlink():
            link.unlink()
        link.symlink_to(victim)
        os.lchown(link, 65534, 65534)
        yield
        found = {path.name: path.read_text(encoding="utf-8") for path in victim.iterdir() if path.is_file()}
        beside = [path.name for path in victim.iterdir() if path.name != "run.json"]
        if link.is_symlink() and link.readlink() == victim:
            link.unlink()
        if found.get("run.json") != "precious" or beside:
            raise AssertionError(f"behind the link {place} there is now {found} {beside}")
        shutil.rmtree(victim)

    return around


# All of them -----------------------------------------------------------------------------------------------

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


def surroundings(counts: dict[str, dict[str, int]], chance: Random) -> list[Case]:
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
                cases.append(Kill("backup spoilt", command, name, step, at, action))
    return cases
