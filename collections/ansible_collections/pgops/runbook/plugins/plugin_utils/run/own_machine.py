# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A step on the controller's own machine: in a process forked from its task's, where there is nothing to send.

ansible-core sends a module as an archive to a new Python, which compiles every file that it imports out of it. Where
that Python would be this one, on this machine and for this user, all of it is there already (docs/decisions/028).
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import multiprocessing
import os
import pkgutil
import signal
import sys
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection as Pipe
from typing import Any

from ansible import constants
from ansible.module_utils import _internal
from ansible.module_utils._internal._ansiballz._loader import run_module
from ansible.module_utils.common.json import Direction, get_module_encoder
from ansible.plugins.loader import filter_loader, test_loader

from .progress import SECONDS_BETWEEN

__all__ = ["PROFILE", "execute", "is_own_machine"]

# How arguments and results of modules are written as JSON, of those that ansible-core knows.
PROFILE = "legacy"

STEP_MODULE = "ansible_collections.pgops.runbook.plugins.modules.step"

FORK = multiprocessing.get_context("fork")


def _import_steps() -> None:
    """Import what all steps need, once for all processes of tasks, which ansible-core forks from this one."""
    package = importlib.import_module("...module_utils.steps", __package__)
    for found in pkgutil.iter_modules(package.__path__):
        # The step itself meets it again, and its task says so.
        with contextlib.suppress(Exception):
            importlib.import_module(f"{package.__name__}.{found.name}")


def _load_filters() -> None:
    """Have ansible-core find the filters and tests of Jinja once; else the process of each task does it again.

    Where a role brings its own, ansible-core looks for all of them anew (``PluginLoader.add_directory``).
    """
    for loader, name in ((filter_loader, "default"), (test_loader, "defined")):
        loader.get(name)


_import_steps()
_load_filters()
# All of this stays until the command ends. A process that is forked need not look at it for garbage, which would copy
# it page by page (Python's documentation of the module gc, freeze()).
gc.freeze()


def is_own_machine(connection: Any, interpreter: object, environment: str) -> bool:
    """Whether a module that is sent over the connection would be run by this Python, on this machine, for this user.

    Args:
        connection: the connection plugin of the task.
        interpreter: ansible_python_interpreter of the host.
        environment: what the task sets for its module, as ansible-core writes it for a shell.
    """
    return (
        getattr(connection, "ansible_name", "") == "ansible.builtin.local"
        and connection.become is None
        # By name: through another link Python finds the packages of another environment.
        and interpreter == sys.executable
        and not environment.strip()
        # Somebody wants to look at what is sent.
        and not constants.DEFAULT_KEEP_REMOTE_FILES
    )


def execute(arguments: Mapping[str, Any], meanwhile: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Run the module of all steps in a process of its own and wait for its end.

    Args:
        arguments: of the module, with those that ansible-core adds.
        meanwhile: called every SECONDS_BETWEEN while the module works. (A thread could not: beside one nothing is
            forked.)

    Returns:
        dict: stdout (the module's result as JSON; empty where it was killed), stderr, and rc, the exit status, which is
            negative where a signal ended the process: the signal's number.
    """
    encoder = get_module_encoder(PROFILE, Direction.CONTROLLER_TO_MODULE)
    parameters = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}, cls=encoder).encode()
    receiver, sender = FORK.Pipe(duplex=False)
    process = FORK.Process(target=_run, args=(parameters, sender))
    process.start()
    # The only other end is the child's now, so that its death ends the wait.
    sender.close()
    stdout = stderr = ""
    with receiver, contextlib.suppress(EOFError):
        while not receiver.poll(SECONDS_BETWEEN):
            meanwhile()
        stdout, stderr = receiver.recv()
    process.join()
    return {"rc": process.exitcode, "stdout": stdout, "stderr": stderr}


def _run(parameters: bytes, sender: Pipe) -> None:
    """The child: become what ansible-core starts on a target, and run the module as its wrapper there does."""
    # The task's process hands a signal to its whole group, and so would its copy.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Of warnings that a module makes there, its result has them; on a controller they would go to the screen.
    _internal.is_controller = False
    _internal.get_controller_serialize_map = dict
    sys.argv = [STEP_MODULE]
    said, complained = io.StringIO(), io.StringIO()
    status = 1
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
        try:
            run_module(
                json_params=parameters,
                profile=PROFILE,
                module_fqn=STEP_MODULE,
                modlib_path=os.devnull,
                extensions={},
            )
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
        except KeyboardInterrupt:
            status = 128 + signal.SIGINT
    sender.send((said.getvalue(), complained.getvalue()))
    sys.exit(status)
