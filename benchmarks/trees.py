# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Copies of the checkout in which tests are run on changed code; all of them are gone afterwards."""

from __future__ import annotations

import contextlib
import fcntl
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from demo.local_server import LocalServer

__all__ = ["Trees", "Verdict"]

PREFIX = "pgops-mutants-"

# Far beyond any room's tests; only code that no longer ends takes as long.
SECONDS_ALLOWED = 1800
SECONDS_TO_END = 20

# Exit statuses of pytest (its reference, "Exit codes"); whatever is not here says nothing about the code.
STATUSES = {0: "passed", 1: "failed"}


@dataclass(frozen=True)
class Verdict:
    """What tests said.

    Attributes:
        status: "passed", "failed", or why they said nothing.
        first: the first one that failed, or the last line of what pytest wrote.
        seconds: how long it took.
    """

    status: str
    first: str
    seconds: float


class Trees:
    """Copies of a project, one for each test run at a time; a context manager.

    Args:
        project: a git checkout; what it has uncommitted is copied too, what git ignores is not.
        number: how many.

    Attributes:
        root: the folder of them all.
        original: one more, in which nothing is ever changed.
    """

    def __init__(self, project: Path, number: int) -> None:
        self.project = project
        self.number = number
        self.root: Path | None = None
        self._lock: IO[bytes] | None = None
        self._free: queue.SimpleQueue[Path] = queue.SimpleQueue()
        self._running: dict[subprocess.Popen[bytes], Path] = {}
        self._stopped = False

    def __enter__(self) -> Trees:
        remove_forgotten()
        self.root = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._lock = (self.root / "lock").open("wb")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            self._copy_project()
            for number in range(self.number):
                self._free.put(shutil.copytree(self.original, self.root / str(number), symlinks=True))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        assert self.root is not None
        assert self._lock is not None
        shutil.rmtree(self.root)
        self._lock.close()

    @property
    def original(self) -> Path:
        assert self.root is not None
        return self.root / "original"

    def stop(self) -> None:
        """End every test run, and begin none any more; each removes its server."""
        self._stopped = True
        for process, tree in list(self._running.items()):
            _end(process, tree)

    def _copy_project(self) -> None:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - git, wherever it is
            cwd=self.project,
            capture_output=True,
            check=True,
        ).stdout
        for name in filter(None, os.fsdecode(listed).split("\0")):
            if (self.project / name).is_file():
                (self.original / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(self.project / name, self.original / name)
        if (self.project / ".venv").exists():
            (self.original / ".venv").symlink_to((self.project / ".venv").resolve())

    def run(self, tests: Sequence[str], changed: Mapping[str, str] | None = None) -> Verdict:
        """Run tests until the first one fails.

        Args:
            tests: paths below the project.
            changed: path below the project -> another text of that file.
        """
        tree = self._free.get()
        try:
            with _changed(tree, changed or {}):
                return self._run(tree, tests)
        finally:
            self._free.put(tree)

    def _run(self, tree: Path, tests: Sequence[str]) -> Verdict:
        if self._stopped:
            raise RuntimeError("the run was stopped")
        clock = time.monotonic()
        process = subprocess.Popen(
            [*_until_we_end(), *_pytest(tree), *tests],
            cwd=tree,
            env=_environment(tree),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._running[process] = tree
        try:
            output, _ = process.communicate(timeout=SECONDS_ALLOWED)
            status = STATUSES.get(process.returncode, f"pytest ended with exit status {process.returncode}")
        except subprocess.TimeoutExpired:
            _end(process, tree)
            output, status = b"", f"no end within {SECONDS_ALLOWED} s"
        finally:
            del self._running[process]
        return Verdict(status, _first_failure(output.decode("utf-8", "replace")), time.monotonic() - clock)


@contextlib.contextmanager
def _changed(tree: Path, changed: Mapping[str, str]) -> Iterator[None]:
    before = {name: (tree / name).read_text(encoding="utf-8") for name in changed}
    try:
        for name, text in changed.items():
            (tree / name).write_text(text, encoding="utf-8")
        yield
    finally:
        for name, text in before.items():
            (tree / name).write_text(text, encoding="utf-8")


def _pytest(tree: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "pytest", "--exitfirst", "--quiet", "--tb=no", "-rfE"),
        *("-p", "no:cacheprovider", f"--basetemp={_tmp_of(tree)}"),
    ]


def _environment(tree: Path) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTEST_ADDOPTS")},
        "PATH": f"{tree}/.venv/bin:{os.environ['PATH']}",
        # A file that is changed twice within a second would be taken for the one that was compiled.
        "PYTHONDONTWRITEBYTECODE": "1",
        # Property tests try the same examples each time.
        "CI": "1",
        "EVERY_COMBINATION": "1",
    }


def _until_we_end() -> list[str]:
    """A command in front of another one that ends it when we are killed (setpriv of util-linux)."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []


def _end(process: subprocess.Popen[Any], tree: Path) -> None:
    """Ask the test run to end, as Ctrl-C does, so that it removes its server; otherwise remove it for it."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    if _has_ended(process):
        return
    # It waits for an answer of its server, and hears of no signal until then.
    for state in _tmp_of(tree).glob("server[0-9]*/server.json"):
        LocalServer(state.parent, fsync=False).remove()
    if not _has_ended(process):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _has_ended(process: subprocess.Popen[Any]) -> bool:
    try:
        process.wait(SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        return False
    return True


def _tmp_of(tree: Path) -> Path:
    """Where its tests put their files: beside it, to be removed with it; pytest's own folder would be kept."""
    return tree.with_name(f"{tree.name}.tmp")


def _first_failure(output: str) -> str:
    found = re.search(r"^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE)
    lines = output.strip().splitlines()
    return found[1] if found else lines[-1] if lines else ""


def remove_forgotten() -> None:
    """Remove the copies of a run that was killed; those of one at work are locked."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError), (folder / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
