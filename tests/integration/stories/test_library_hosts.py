# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A library on two hosts, each reached over SSH: both follow or none does, and one that was killed comes along."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.integration.stories.application import Application, Run
from tests.ssh_hosts import SshHosts, SshUnusable

FILES = 3000
HOSTS = ("media1", "media2")

# Renaming takes some tenths of a second; looking all the time would take a core from the rest of the run.
LOOK_EVERY_SECONDS = 0.01


@pytest.fixture(scope="module")
def hosts() -> Iterator[SshHosts]:
    try:
        made = SshHosts(list(HOSTS))
    except SshUnusable as error:
        pytest.skip(f"two hosts over SSH need an sshd: {error}")
    yield made
    made.stop()


class Library:
    """Table notes with paths below /library, and a folder for it on each of the two hosts."""

    def __init__(self, application: Application, hosts: SshHosts | LocalHosts, folder: Path) -> None:
        self.application, self.hosts, self.folder = application, hosts, folder
        application.sql_dir = folder / "sql"
        for name, text in {
            "migrations/001_notes.sql": "CREATE TABLE notes (id serial PRIMARY KEY, body text NOT NULL);\n",
            "rollback/001_notes_rollback.sql": "DROP TABLE notes;\n",
            "migrations/002_names.sql": "-- Requires: 001\n-- Files: rename notes.body\n"
            "UPDATE notes SET body = replace(body, ' ', '_');\n",
            "rollback/002_names_rollback.sql": "UPDATE notes SET body = replace(body, '_', ' ');\n",
        }.items():
            path = application.sql_dir / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self.execute(
            "TRUNCATE notes; INSERT INTO notes (body)"
            f" SELECT '/library/a song ' || n || '.mid' FROM generate_series(1, {FILES}) n"
        )
        inventory = {
            "library": {
                "hosts": {
                    name: {
                        **hosts.variables(name),
                        "library_root": str(self.root(name)),
                        "library_path_prefix": "/library",
                        "library_state_dir": str(folder / name / "state"),
                    }
                    for name in HOSTS
                }
            }
        }
        self.inventory = folder / "library.yml"
        self.inventory.write_text(yaml.safe_dump(inventory), encoding="utf-8")
        for name in HOSTS:
            self.root(name).mkdir(parents=True)
            for number in range(1, FILES + 1):
                (self.root(name) / f"a song {number}.mid").write_text(str(number), encoding="utf-8")

    def execute(self, statement: str) -> list[tuple]:
        (database,) = self.application.databases
        with (
            contextlib.closing(self.application.server.connect(database)) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def root(self, host: str) -> Path:
        return self.folder / host / "library"

    def start(self, playbook: str = "deploy.yml", *arguments: str) -> subprocess.Popen:
        return self.application.start(playbook, "-i", str(self.inventory), "-e", "migration=002", *arguments)

    def run(self, playbook: str = "deploy.yml", *arguments: str) -> Run:
        return self.application.run(playbook, "-i", str(self.inventory), "-e", "migration=002", *arguments)

    def has(self, host: str, pattern: str) -> bool:
        """Whether the host has exactly all files under names of this form, each with its own content."""
        return {path.name: path.read_text(encoding="utf-8") for path in self.root(host).iterdir()} == {
            pattern.format(number): str(number) for number in range(1, FILES + 1)
        }

    def production_is(self, pattern: str) -> bool:
        rows = self.execute("SELECT body FROM notes")
        return {path for (path,) in rows} == {
            "/library/" + pattern.format(number) for number in range(1, FILES + 1)
        }

    def kill_renaming(self, host: str, process: subprocess.Popen, *, controller: bool = False) -> None:
        """Kill the module on a host as soon as its journal tells of renames.

        Args:
            process: ansible-playbook.
            controller: whether to kill that first: it must not see the module fail.
        """
        state = self.folder / host / "state"
        while process.poll() is None:
            for journal in state.glob("*.journal"):
                with contextlib.suppress(FileNotFoundError):
                    if journal.stat().st_size:
                        if controller:
                            process.kill()
                        for holder in holders(journal):
                            os.kill(holder, signal.SIGKILL)
                        return
            time.sleep(LOOK_EVERY_SECONDS)
        pytest.fail(f"nothing was renamed: {process.communicate()[0]}")


def holders(path: Path) -> list[int]:
    """Processes that have a file open."""
    found = []
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if descriptor.readlink() == path:
                found.append(int(descriptor.parts[2]))
    return found


BEFORE, AFTER = "a song {}.mid", "a_song_{}.mid"


@pytest.fixture
def library(application: Application, hosts: SshHosts, tmp_path: Path) -> Library:
    return Library(application, hosts, tmp_path)


class LocalHosts:
    """Hosts without SSH, for what does not depend on it."""

    @staticmethod
    def variables(_: str) -> dict[str, str]:
        return {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}


def test_an_obstacle_that_comes_after_the_look_takes_both_back(
    application: Application, tmp_path: Path
) -> None:
    """The look cannot hold the disk still: the one after COMMIT stays, and the rollback with it."""
    library = Library(application, LocalHosts(), tmp_path)
    (database,) = application.databases
    with contextlib.closing(application.server.connect(database)) as user, user.cursor() as cursor:
        # apply waits for this lock, so the file is there before it can commit.
        cursor.execute("LOCK TABLE notes IN ROW EXCLUSIVE MODE")
        process = library.start()
        waiting = False
        while not waiting:
            assert process.poll() is None, process.communicate()[0]
            cursor.execute(
                "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'notes'::regclass AND NOT granted),"
                " pg_sleep(0.1)"
            )
            waiting = cursor.fetchone()[0]
        taken = library.root("media2") / "a_song_17.mid"
        taken.write_text("of a user", encoding="utf-8")
        user.commit()
    run = library.application.finish(process)
    assert (run.record["outcome"], run.record["failed_step"]) == ("rolled_back", "files_rename"), run.output
    assert "a_song_17.mid exists already" in run.record["reason"]
    assert set(run.record["files"]["hosts"]) == set(HOSTS)
    assert library.production_is(BEFORE)
    assert library.has("media1", BEFORE)
    taken.unlink()
    assert library.has("media2", BEFORE)


def test_both_hosts_follow_and_come_back(library: Library) -> None:
    run = library.run("deploy.yml", "--diff")
    assert (run.status, run.record["outcome"]) == (0, "deployed"), run.output
    assert library.has("media1", AFTER)
    assert library.has("media2", AFTER)
    assert {host: found["renamed"] for host, found in run.record["files"]["hosts"].items()} == {
        "media1": FILES,
        "media2": FILES,
    }
    look = run.output[run.output.index("✓ rehearse") : run.output.index("✓ apply")]
    assert "-a song 17.mid" in look
    assert "+a_song_17.mid" in look
    back = library.run("emergency_rollback.yml")
    assert (back.status, back.record["outcome"]) == (0, "rolled_back"), back.output
    assert library.has("media1", BEFORE)
    assert library.has("media2", BEFORE)


def test_an_obstacle_on_one_host_leaves_both_and_production_as_they_were(library: Library) -> None:
    taken = library.root("media2") / "a_song_17.mid"
    taken.write_text("of a user", encoding="utf-8")
    run = library.run()
    assert (run.status, run.record["outcome"], run.record["failed_step"]) == (2, "refused", "files_check"), (
        run.output
    )
    assert "Files on media2 below" in run.record["reason"]
    assert "a_song_17.mid exists already, so a song 17.mid cannot get its name" in run.record["reason"]
    assert "deploy again" in run.record["reason"]
    assert library.production_is(BEFORE)
    assert library.has("media1", BEFORE)
    taken.unlink()
    assert library.has("media2", BEFORE)
    assert library.run().status == 0
    assert library.has("media2", AFTER)


def test_a_host_that_cannot_be_reached_is_found_before_production_is_changed(library: Library) -> None:
    inventory = yaml.safe_load(library.inventory.read_text(encoding="utf-8"))
    inventory["library"]["hosts"]["media2"]["ansible_port"] = 1
    library.inventory.write_text(yaml.safe_dump(inventory), encoding="utf-8")
    run = library.run()
    assert (run.record["outcome"], run.record["failed_step"]) == ("refused", "files_check"), run.output
    assert "Host media2 could not be reached during step files_check" in run.record["reason"]
    assert library.production_is(BEFORE)
    assert library.has("media1", BEFORE)


def test_a_host_whose_renaming_is_killed_takes_both_back(library: Library) -> None:
    process = library.start()
    library.kill_renaming("media2", process)
    run = library.application.finish(process)
    assert (run.record["outcome"], run.record["failed_step"]) == ("rolled_back", "files_rename"), run.output
    assert library.production_is(BEFORE)
    assert library.has("media1", BEFORE)
    assert library.has("media2", BEFORE)


def test_a_run_that_is_killed_with_its_host_is_ended_by_the_next(library: Library) -> None:
    process = library.start()
    library.kill_renaming("media2", process, controller=True)
    process.communicate()
    assert library.production_is(AFTER)
    assert library.has("media1", AFTER)
    assert not library.has("media2", AFTER)
    status = library.run("playbooks/status.yml")
    assert "FILES BEHIND" in status.output
    assert "ansible-playbook deploy.yml -e migration=002" in status.output
    again = library.run()
    assert (again.status, again.record["outcome"]) == (0, "deployed"), again.output
    assert library.has("media1", AFTER)
    assert library.has("media2", AFTER)
