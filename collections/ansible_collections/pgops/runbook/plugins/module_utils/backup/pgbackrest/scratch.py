# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A scratch cluster: a data folder of its own on the database's host, and the server on it, which nobody else reaches.

Its folder is ours, and holds what we write; what the server and pgbackrest write is in a folder of the server's owner
within it, in which we write nothing: who may write there could have put a link in our way.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator, Sequence

from ...digests import named_for_run
from ...durable import one_at_a_time, write_file_durably
from ...errors import StepFailed
from ...own_files import make_own_folder, read_regular
from ...shapes import Json
from .owner import Owner

__all__ = ["FORGOTTEN_AFTER_HOURS", "ScratchCluster", "left_behind"]

PREFIX = "copy_"

STOP_SECONDS = 60

# As of a copy that is a database (backup/copy.py).
FORGOTTEN_AFTER_HOURS = 24

# Who gets as far as the socket is the server's owner or root; whatever role they take, they could read the files.
HBA = "local all all trust\n"


class ScratchCluster:
    """The scratch cluster of a run, whether or not it is there.

    Args:
        scratch_dir: folder of all scratch clusters; empty where there are none.
        run_id: whose it is.
        keep: whether its data stay for the next restore when it is dropped.
        folder: where it is, instead of where the run's would be.
    """

    def __init__(self, scratch_dir: str, run_id: str, keep: bool = False, folder: str = "") -> None:
        self.run_id = run_id
        self.keep = keep
        self.scratch_dir = scratch_dir
        name = named_for_run(PREFIX, run_id)
        self.folder = folder or os.path.join(scratch_dir, name)
        self.inner = os.path.join(self.folder, "run")
        self.data = os.path.join(self.inner, "data")
        self.tablespaces = os.path.join(self.inner, "tablespaces")
        self.log = os.path.join(self.folder, "server.log")
        self._mark = os.path.join(self.folder, "scratch.json")
        #: Descriptors of the lock that is held.
        self.locks: tuple[int, ...] = ()
        self._child: subprocess.Popen[bytes] | None = None

    # Its folder ------------------------------------------------------------------------------------------

    def exists(self) -> bool:
        """Whether there is a folder that we have made."""
        try:
            found = os.lstat(self.folder)
        except OSError:
            return False
        return bool(self.scratch_dir) and stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()

    def mark(self) -> Json:
        """What was noted when it was made; {} where nothing was."""
        try:
            noted = json.loads(read_regular(self._mark))
        except (OSError, ValueError):
            return {}
        return noted if isinstance(noted, dict) else {}

    @contextlib.contextmanager
    def made(self, owner: Owner, facts: Json) -> Iterator[bool]:
        """Make its folder, or take over that of a run that is gone; inside, nobody takes it from us.

        Args:
            facts: what is noted: system_identifier, role.

        Yields:
            whether there are data in it by now.

        Raises:
            OSError: it cannot be made.
        """
        os.makedirs(self.scratch_dir, mode=0o711, exist_ok=True)
        with contextlib.ExitStack() as ours:
            with one_at_a_time(self.scratch_dir):
                if not self.exists():
                    self._take_over(facts["system_identifier"])
                make_own_folder(self.folder)
                ours.enter_context(self.locked())
            os.chmod(self.folder, 0o711 if os.geteuid() == 0 else 0o700)
            if not os.path.lexists(self.inner):
                os.mkdir(self.inner, 0o700)
                if os.geteuid() == 0:
                    os.chown(self.inner, owner.uid, owner.gid)
            write_file_durably(self._mark, json.dumps({"run_id": self.run_id, **facts}))
            yield os.path.isdir(self.data)

    def _take_over(self, system_identifier: str) -> None:
        """The folder of a scratch cluster that nobody uses any more: what is in it need not be copied again."""
        for other in left_behind(self.scratch_dir):
            if other.mark().get("system_identifier") != system_identifier or not os.path.isdir(other.data):
                continue
            with other.locked() as free:
                if free and other.running() is None:
                    os.rename(other.folder, self.folder)
                    return

    @contextlib.contextmanager
    def locked(self) -> Iterator[bool]:
        """Whether nobody else is at work on it; inside, nobody else is. A lock that ends with the process."""
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        self.locks = (descriptor,)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield True
        except BlockingIOError:
            yield False
        finally:
            self.locks = ()
            os.close(descriptor)

    def age_hours(self) -> float:
        """Since something was last made in it."""
        return (time.time() - os.lstat(self.folder).st_mtime) / 3600

    def bytes(self) -> int:
        """How much is on disk by now."""
        total = 0
        for folder, _, names in os.walk(self.data):
            for name in names:
                with contextlib.suppress(OSError):
                    total += os.lstat(os.path.join(folder, name)).st_blocks * 512
        return total

    def drop(self) -> bool:
        """Stop its server, and remove it; returns whether there was anything. With keep its data stay, and no server.

        Raises:
            StepFailed: the server does not stop.
        """
        if not self.exists():
            return False
        stopped = self.stop()
        self._end_programs()
        if self.keep and os.path.isdir(self.data):
            return stopped
        deadline = time.monotonic() + STOP_SECONDS
        while True:
            try:
                shutil.rmtree(self.folder)
                return True
            except OSError as error:
                # Workers of a pgbackrest that was ended write until they notice.
                if error.errno not in (errno.ENOTEMPTY, errno.ENOENT) or time.monotonic() > deadline:
                    raise StepFailed(
                        "scratch_dir_unusable",
                        f"The scratch cluster {self.folder} cannot be removed: {error.strerror}. Production is as it"
                        " was. Remove that folder yourself.",
                    ) from None
            time.sleep(0.1)

    def _end_programs(self) -> None:
        """End pgbackrest where a step that was killed has left it at work on our data folder, and on no other."""
        ours = os.fsencode(f"--pg1-path={self.data}")
        for name in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
                if ours in words:
                    os.kill(int(name), signal.SIGKILL)

    # Its server ------------------------------------------------------------------------------------------

    def running(self) -> int | None:
        """Process id of its server: a server's working folder is its data folder."""
        try:
            with open(os.path.join(self.data, "postmaster.pid"), encoding="utf-8", errors="replace") as file:
                first = file.readline().strip()
            return int(first) if first.isdigit() and self._is_ours(int(first)) else None
        except OSError:
            return None

    def _is_ours(self, pid: int) -> bool:
        try:
            return os.readlink(f"/proc/{pid}/cwd") == os.path.realpath(self.data)
        except OSError:  # gone, or a zombie
            return False

    def start(self, program: str, owner: Owner, configuration: str, options: Sequence[str]) -> None:
        """Start its server; when this returns, it has recovered and lets us in.

        Args:
            program: the program postgres.
            configuration: text of its postgresql.conf.
            options: that stand above it.

        Raises:
            StepFailed: with what it has logged last.
        """
        for name, text in (("postgresql.conf", configuration), ("pg_hba.conf", HBA), ("pg_ident.conf", "")):
            path = os.path.join(self.folder, name)
            write_file_durably(path, text, 0o640)
            if os.geteuid() == 0:
                os.chown(path, 0, owner.gid)
        with open(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "ab") as log:
            self._child = subprocess.Popen(
                [program, "-D", self.data, *options],
                stdout=log,
                stderr=log,
                start_new_session=True,  # it outlives this step
                **owner.process(),
            )
        while not self._is_ready():
            if self._child.poll() is not None:
                raise StepFailed(
                    "scratch_cluster_failed",
                    f"The scratch cluster {self.data} ended before it had recovered: {self._said()}. Production is as"
                    " it was.",
                )
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        try:
            with open(os.path.join(self.data, "postmaster.pid"), encoding="utf-8", errors="replace") as file:
                lines = file.read().splitlines()
        except OSError:
            return False
        # Of the file that was in the backup, if any, the process id would be another one.
        child = self._child.pid if self._child is not None else -1
        return len(lines) > 7 and lines[0] == str(child) and lines[7].strip() == "ready"

    def _said(self) -> str:
        with open(self.log, "rb") as log:
            lines = log.read().decode("utf-8", "replace").strip().splitlines()
        found = [
            line for line in lines if " FATAL: " in line or " PANIC: " in line or "error" in line.lower()
        ]
        return " / ".join((found or lines)[-4:]).rstrip(".") or "it logged nothing"

    def stop(self) -> bool:
        """Stop its server, whoever has started it; returns whether there was one.

        Raises:
            StepFailed: it does not stop.
        """
        pid = self.running()
        if pid is None:
            return False
        # At once and without a checkpoint: nobody needs what is in it ("Shutting Down the Server" in the manual).
        os.kill(pid, signal.SIGQUIT)
        deadline = time.monotonic() + STOP_SECONDS
        while self._is_ours(pid):
            if time.monotonic() > deadline:
                raise StepFailed(
                    "scratch_cluster_failed",
                    f"The server on the scratch cluster {self.data}, process {pid}, does not stop. Find out why, end it"
                    f" and remove {self.folder}.",
                )
            time.sleep(0.02)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
        return True


def left_behind(scratch_dir: str) -> list[ScratchCluster]:
    """The scratch clusters in a folder that are ours, of whichever run, sorted by name."""
    try:
        names = sorted(os.listdir(scratch_dir)) if scratch_dir else []
    except OSError:
        return []
    clusters = [
        ScratchCluster(scratch_dir, "", folder=os.path.join(scratch_dir, name))
        for name in names
        if name.startswith(PREFIX)
    ]
    return [cluster for cluster in clusters if cluster.exists()]
