#!/usr/bin/env python3
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Write the transcripts in README.md anew, from real runs on the demo's database.

A transcript stands in README.md between ``<!-- transcript NAME ... -->`` and ``<!-- end of transcript -->``.  It is
what a user sees without a terminal on a machine that is not slow.  Of the stories about rows only what is typed and the
sentences about rows are kept.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path.insert(0, str(PROJECT))

import psycopg2  # noqa: E402 - the path has to be set first

from demo.load_library import DATABASE, LoadError, load  # noqa: E402
from demo.local_server import LocalServer, LocalServerError  # noqa: E402

README = PROJECT / "README.md"
FILES = 10_000  # as `make demo` loads

_MARKED = re.compile(
    r"(?P<begin><!-- transcript (?P<name>\w+)[^>]*-->\n)(?P<text>.*?)(?P<end>^<!-- end of transcript -->$)",
    re.DOTALL | re.MULTILINE,
)
_SENTENCES_ABOUT_ROWS = re.compile(r" *((deployed|rolled_back|State|Kept|Put back): .*)")
_SENTENCES_ABOUT_TAGS = re.compile(
    r" *((deployed, and|rolled_back|Next:|(Kept|Put back): \d+ rows of public\.tags ).*)"
)

# What differs from run to run: a pattern, and what it is compared as.
_VARYING = (
    (re.compile(r"\d{8}T\d{6}Z-midi_library-[0-9a-f]{4}(?:[0-9a-f]{4})?"), "RUN"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?(\+00| UTC)"), "TIME"),
    (re.compile(r"\d+\.\d+ s\b"), "SECONDS"),
    (re.compile(r"\d+ WAL records in \d+\.\d MB, up to \d+\.\d MB"), "WAL"),
    (re.compile(r"\d[\d,.]* MB(?=; | on disk|,|$)", re.MULTILINE), "SIZE"),
    (re.compile(r"tables with \d[\d,]* rows"), "tables with ROWS"),  # the test's library is a small one
    (re.compile(r"with \d[\d,]* rows \([^)]*\)"), "with ROWS"),
    (re.compile(r"-{3,}"), "---"),  # psql's tables are as wide as their values
    (re.compile(r"[ \t]+"), " "),
    (re.compile(r"^ | $", re.MULTILINE), ""),
)


class TranscriptError(Exception):
    """A command did not do what its transcript is to show, or README.md has no place for it."""


@dataclass(frozen=True)
class Demo:
    """Where the commands run.

    Attributes:
        server: a running server that holds the demo's database.
        artifacts: the folder of the runs' records; shown by its name alone, as is the next.
        backups: the folder of their backups.
        options: arguments of ansible-playbook that a user of the demo does not need, and that are not shown.
    """

    server: LocalServer
    artifacts: Path = PROJECT / "artifacts"
    backups: Path = PROJECT / "backups"
    options: tuple[str, ...] = ()

    def playbook(self, command: str) -> str:
        """Run a playbook and return what a user sees of it.

        Args:
            command: as a user types it: words without quotes.
        Raises:
            TranscriptError: it failed.
        """
        program, *arguments = command.split()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        done = subprocess.run(
            [str(Path(sys.executable).with_name(program)), *self.options, *arguments],
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise TranscriptError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        # The commands that are told have the options of this one.
        shown = done.stdout.replace(f" {shlex.join(self.options)}", "") if self.options else done.stdout
        shown = shown.replace(f"{self.artifacts}/", "artifacts/").replace(f"{self.backups}/", "backups/")
        return as_shown(shown)

    def psql(self, statement: str) -> str:
        """Execute a statement with psql and return what it prints.

        Raises:
            TranscriptError: it failed.
        """
        server = self.server
        done = subprocess.run(
            [
                *(f"{server.bindir}/psql", "--no-psqlrc", "--set=ON_ERROR_STOP=1"),
                *(f"--host={server.host}", f"--port={server.port}", f"--username={server.user}"),
                *(f"--dbname={DATABASE}", f"--command={statement}"),
            ],
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise TranscriptError(f"{statement} failed: {done.stderr}")
        return done.stdout.rstrip()


def transcripts(demo: Demo) -> dict[str, str]:
    """Run the stories of README.md one after the other; returns their texts by name.

    Raises:
        TranscriptError: a command failed.
    """
    return {
        "deploy": _whole(demo, "ansible-playbook deploy.yml -e migration=009"),
        "rollback": _whole(demo, "ansible-playbook emergency_rollback.yml -e migration=009"),
        "favorites": "\n\n".join(
            [
                _typed(demo, "INSERT INTO favorites (file_id) VALUES (7), (42), (1000);"),
                _sentences(demo, "ansible-playbook emergency_rollback.yml -e migration=003"),
                _sentences(demo, "ansible-playbook deploy.yml -e migration=003"),
                _typed(demo, "SELECT file_id, created_at FROM favorites ORDER BY id DESC LIMIT 3;"),
            ]
        ),
        "conflict": _conflict(demo),
    }


def _conflict(demo: Demo) -> str:
    """What both sides of a rollback changed, and how it is settled."""
    told = [
        _typed(demo, "UPDATE tags SET priority = 1 WHERE name = 'house';"),
        _sentences(demo, "ansible-playbook emergency_rollback.yml -e migration=007", _SENTENCES_ABOUT_TAGS),
        _typed(demo, "UPDATE tags SET name = 'house music' WHERE name = 'house';"),
        _sentences(demo, "ansible-playbook deploy.yml -e migration=007", _SENTENCES_ABOUT_TAGS),
    ]
    listing = _message(demo, "ansible-playbook playbooks/salvage.yml")
    item = re.search(r"item (\d+), .* of public\.tags ", listing)
    if item is None:
        raise TranscriptError(f"no tag waits:\n{listing}")
    command = "ansible-playbook playbooks/salvage.yml"
    return "\n\n".join(
        [
            *told,
            listing,
            _message(demo, f"{command} -e salvage_item={item[1]}"),
            _message(
                demo, f"{command} -e salvage_action=put_back -e salvage_item={item[1]} -e salvage_prefer=kept"
            ),
            _typed(demo, "SELECT name, priority FROM tags WHERE name LIKE 'house%' ORDER BY 1;"),
        ]
    )


def as_shown(output: str) -> str:
    """What ansible-playbook printed, without what a slow machine is told while it waits, and blanks at ends."""
    lines = [line.rstrip() for line in output.strip("\n").splitlines()]
    return "\n".join(line for line in lines if not line.startswith("  · "))


def normalised(text: str) -> str:
    """A transcript without what differs from run to run: run ids, times, seconds, WAL, and widths of columns."""
    for pattern, replacement in _VARYING:
        text = pattern.sub(replacement, text)
    return text.strip()


def shown_in(readme: str) -> dict[str, str]:
    """The transcripts in a text, by name."""
    return {
        found["name"]: re.sub(r"^    ", "", found["text"], flags=re.MULTILINE)
        for found in _MARKED.finditer(readme)
    }


def rewritten(readme: str, texts: dict[str, str]) -> str:
    """The text with its transcripts replaced.

    Raises:
        TranscriptError: the text has places for other transcripts than these.
    """
    places = [found["name"] for found in _MARKED.finditer(readme)]
    if sorted(places) != sorted(texts):
        raise TranscriptError(f"there are places for {sorted(places)} and transcripts {sorted(texts)}")

    def place(found: re.Match[str]) -> str:
        lines = [f"    {line}".rstrip() for line in texts[found["name"]].splitlines()]
        return "\n".join([found["begin"], *lines, "", found["end"]])

    return _MARKED.sub(place, readme)


def _whole(demo: Demo, command: str) -> str:
    return f"$ {command}\n{demo.playbook(command)}"


def _sentences(demo: Demo, command: str, about: re.Pattern[str] = _SENTENCES_ABOUT_ROWS) -> str:
    """A command, and of what it printed some sentences."""
    found = [about.fullmatch(line) for line in demo.playbook(command).splitlines()]
    return "\n".join([f"$ {command}", *(sentence[1] for sentence in found if sentence)])


def _message(demo: Demo, command: str) -> str:
    """A command, and what its report says: all but the heading of the play."""
    _, *told = demo.playbook(command).splitlines()
    return "\n".join([f"$ {command}", *told])


def _typed(demo: Demo, statement: str) -> str:
    return f"{DATABASE}=# {statement}\n{demo.psql(statement)}"


def main(arguments: list[str]) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(
        description="Write the transcripts in README.md from runs on the demo's server."
    )
    parser.add_argument("--state", type=Path, default=PROJECT / ".local", help="state folder of the server")
    options = parser.parse_args(arguments)
    try:
        server = LocalServer(options.state)
        if server.pid() is None:
            raise TranscriptError("the local server does not run; start it with: make start")
        load(server, PROJECT / "sql", FILES)
        text = rewritten(README.read_text(encoding="utf-8"), transcripts(Demo(server)))
    except (TranscriptError, LoadError, LocalServerError, psycopg2.OperationalError) as error:
        print(f"transcripts: {str(error).strip()}", file=sys.stderr)
        return 1
    README.write_text(text, encoding="utf-8")
    print("README.md has the transcripts of these runs.  See what changed with: git diff README.md")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
