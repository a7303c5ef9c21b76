# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""ansible-playbook for tests that start it hundreds of times, from a process that has imported it already.

What runs is ansible-playbook itself: its own main, in a process of its own, with the arguments and the output that the
caller gives. Only importing ansible-core and the code of all steps, about a second of a core each time, is done once,
and what one command has parsed and compiled is kept for the next.
Where the program itself matters, on a terminal or with other settings of Ansible, a test starts that.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["WarmAnsible", "WarmProcess"]

PROJECT = Path(__file__).resolve().parents[1]
LONGEST_REQUEST = 1 << 20  # bytes

# Far beyond any run; only one that no longer ends takes as long, and its test fails.
SECONDS_ALLOWED = 900


class WarmAnsible:
    """A process in which ansible-core is imported, and which forks one for each command, until this one ends.

    Args:
        environment: with what ansible-core reads when it is imported: HOME, PATH, its settings.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.warm_ansible", str(theirs.fileno())],
                cwd=PROJECT,
                env={**environment, "PYTHONPATH": str(PROJECT)},
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def start(self, arguments: Sequence[str], environment: Mapping[str, str]) -> WarmProcess:
        """Start ansible-playbook in the project's folder."""
        output, write_output = os.pipe()
        ends, write_ends = os.pipe()
        request = json.dumps([list(arguments), dict(environment)]).encode()
        try:
            descriptors = array.array("i", [write_output, write_ends])
            self._requests.sendmsg([request], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
        finally:
            os.close(write_output)
            os.close(write_ends)
        return WarmProcess(output, ends)

    def run(self, arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
        """Run ansible-playbook in the project's folder; its exit status, and what it wrote to either output."""
        process = self.start(arguments, environment)
        said, _ = process.communicate()
        return process.wait(), said


class WarmProcess:
    """An ansible-playbook that was forked, as what starts it sees it: what tests need of subprocess.Popen.

    Args:
        output: descriptor of the pipe that it writes to.
        ends: descriptor of the pipe that tells its number, and when it has ended its exit status.
    """

    def __init__(self, output: int, ends: int) -> None:
        self.stdout = os.fdopen(output, encoding="utf-8")
        self._ends = os.fdopen(ends, "rb", buffering=0)
        self.returncode: int | None = None
        self.pid = int(self._ends.readline() or b"0")

    def poll(self) -> int | None:
        """The exit status, or None while it is at work."""
        if self.returncode is None and select.select([self._ends], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: it is at work still, after so many seconds.
        """
        if self.returncode is None:
            if not select.select([self._ends], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("ansible-playbook", timeout or 0)
            self.returncode = int(self._ends.readline() or b"-1")
            self._ends.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        """What it wrote, once neither it nor a process that it has started writes any more; see wait()."""
        said = []
        reader = threading.Thread(target=lambda: said.append(self.stdout.read()), daemon=True)
        reader.start()
        reader.join(timeout)
        if reader.is_alive():
            raise subprocess.TimeoutExpired("ansible-playbook", timeout or 0)
        self.stdout.close()
        self.wait(timeout)
        return said[0], None

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _serve(requests: socket.socket) -> None:
    """Fork a process for each request until the other end is closed."""
    _import_all()
    from tests.kept_for_later import KeptForLater  # imports ansible-core, which only this process does

    kept = KeptForLater()
    ends: dict[int, int] = {}
    # A child that ends is told by a byte here, so that it can be waited for beside requests.
    ended, tell = socket.socketpair()
    for one in (ended, tell):
        one.setblocking(False)
    signal.set_wakeup_fd(tell.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready, _, _ = select.select([requests, ended], [], [])
        if ended in ready:
            ended.recv(LONGEST_REQUEST)
            _tell_who_has_ended(ends)
        if requests not in ready:
            continue
        request, descriptors, _, _ = socket.recv_fds(requests, LONGEST_REQUEST, 2)
        if not request:
            return
        kept.collect()
        output, end = descriptors
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for one in (requests, ended, tell):
                one.close()
            for descriptor in (end, *ends.values()):
                os.close(descriptor)
            arguments, environment = json.loads(request)
            _become_ansible_playbook(arguments, environment, output)
        os.close(output)
        os.write(end, f"{pid}\n".encode())
        ends[pid] = end


def _tell_who_has_ended(ends: dict[int, int]) -> None:
    for pid in list(ends):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            end = ends.pop(pid)
            with contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
                os.write(end, f"{os.waitstatus_to_exitcode(status)}\n".encode())
            os.close(end)


def _import_all() -> None:
    # Each command sets up the finder of collections; here it is there already.
    warnings.filterwarnings("ignore", "AnsibleCollectionFinder has already been configured")
    import ansible.cli.playbook  # noqa: F401 - for the processes that are forked from this one
    from ansible import constants
    from ansible.plugins import loader

    loader.init_plugin_loader()
    # Those that every command loads; filters, in each of the processes that evaluate its tasks.
    for plugins, names in (
        (loader.action_loader, ("debug", "normal", "set_fact", "validate_argument_spec")),
        (loader.action_loader, ("pgops.runbook.preflight", "pgops.runbook.apply")),
        (loader.callback_loader, ("default", "pgops.runbook.runbook")),
        (loader.connection_loader, ("local", "ssh")),
        (
            loader.filter_loader,
            ("ansible.builtin.default", "ansible.builtin.urlsplit", "pgops.runbook.fleet_batches"),
        ),
        (loader.shell_loader, ("sh",)),
        (loader.strategy_loader, ("linear", "host_pinned")),
        (loader.test_loader, ("ansible.builtin.defined", "ansible.builtin.skipped")),
    ):
        for name in names:
            plugins.get(name, class_only=True)
    # A look whether a step has ended takes a core a third of a millisecond, which here is another test's.
    constants.DEFAULT_INTERNAL_POLL_INTERVAL = 0.02  # seconds
    # What is here stays, and a command ends soon: a process that is forked neither looks for garbage nor copies what
    # it looks at.
    gc.freeze()
    gc.disable()


def _become_ansible_playbook(arguments: list[str], environment: dict[str, str], output: int) -> None:
    """The child: run the command with its output, and end as it ends."""
    signal.alarm(SECONDS_ALLOWED)
    # What was to be done at its exit belongs to the process from which this one was forked.
    atexit._clear()
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    sys.argv = [program, *arguments]
    status = 1
    try:
        from ansible.cli.playbook import main

        main(sys.argv)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        _serve(connection)
