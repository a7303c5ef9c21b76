# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""ansible-playbook for tests that start it hundreds of times, from a process that has imported it already.

What runs is ansible-playbook itself: its own main, in a process of its own, with the arguments and the output that the
caller gives. Only importing ansible-core and the code of all steps, about a second of a core each time, is done once,
and what one command has parsed and compiled is kept for the next.
A test in which the process itself matters, since it is killed, looked up or run on a terminal, starts the program.
"""

from __future__ import annotations

import array
import contextlib
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import traceback
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["WarmAnsible"]

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
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.warm_ansible", str(theirs.fileno())],
                cwd=PROJECT,
                env={**environment, "PYTHONPATH": str(PROJECT)},
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def run(self, arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
        """Run ansible-playbook in the project's folder; its exit status, and what it wrote to either output."""
        reader, writer = os.pipe()
        with os.fdopen(reader, encoding="utf-8") as output:
            with contextlib.closing(os.fdopen(writer)):
                request = json.dumps([list(arguments), dict(environment)]).encode()
                self._ours.sendmsg(
                    [request], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [writer]))]
                )
            said = output.read()
        status = int(self._ours.recv(LONGEST_REQUEST) or b"-1")
        return status, said


def _serve(requests: socket.socket) -> None:
    """Fork a process for each request until the other end is closed."""
    _import_all()
    from tests.kept_for_later import KeptForLater  # imports ansible-core, which only this process does

    kept = KeptForLater()
    while True:
        request, descriptors, _, _ = socket.recv_fds(requests, LONGEST_REQUEST, 1)
        if not request:
            return
        kept.collect()
        pid = os.fork()
        if pid == 0:
            requests.close()
            arguments, environment = json.loads(request)
            _become_ansible_playbook(arguments, environment, descriptors[0])
        os.close(descriptors[0])
        _, status = os.waitpid(pid, 0)
        requests.send(str(os.waitstatus_to_exitcode(status)).encode())


def _import_all() -> None:
    # Each command sets up the finder of collections; here it is there already.
    warnings.filterwarnings("ignore", "AnsibleCollectionFinder has already been configured")
    import ansible.cli.playbook  # noqa: F401 - for the processes that are forked from this one
    from ansible.plugins.loader import action_loader, callback_loader, init_plugin_loader, strategy_loader

    init_plugin_loader()
    for loader, name in (
        (action_loader, "pgops.runbook.preflight"),
        (callback_loader, "pgops.runbook.runbook"),
        (strategy_loader, "linear"),
    ):
        loader.get(name, class_only=True)
    # What is here stays, and a command ends soon: a process that is forked neither looks for garbage nor copies what
    # it looks at.
    gc.freeze()
    gc.disable()


def _become_ansible_playbook(arguments: list[str], environment: dict[str, str], output: int) -> None:
    """The child: run the command with its output, and end as it ends."""
    signal.alarm(SECONDS_ALLOWED)
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
        sys.stdout.flush()
        sys.stderr.flush()
        # What is to be done at this process's exit belongs to the one from which it was forked.
        os._exit(status)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        _serve(connection)
