# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Contexts in which a disk is full, a link lies in the way, a server lets nobody in; all is well again after them."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import psycopg2

from benchmarks.fault_stories.stage import Stage

__all__ = [
    "MEBIBYTE",
    "Around",
    "environment",
    "few_connections",
    "full",
    "full_data",
    "planted_link",
    "read_only",
    "setting",
    "transaction_open",
]

Around = Callable[[Stage], AbstractContextManager[None]]

MEBIBYTE = 2**20

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


def _plain(stage: Stage) -> Any:
    """A session that no setting of the role keeps from writing."""
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
