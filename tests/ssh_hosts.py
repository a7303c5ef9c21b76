# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hosts that are reached over SSH: an sshd for each on a port of 127.0.0.1, with throw-away keys."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from demo.server_process import free_port

__all__ = ["SshHosts", "SshUnusable"]


class SshUnusable(Exception):
    """No sshd can be run here; says why."""


class SshHosts:
    """Servers of SSH that let the present user in, and nobody else.

    Args:
        names: of the hosts.
        environment: what commands find there besides.

    Raises:
        SshUnusable: a program is missing, or sshd does not take its configuration.
    """

    def __init__(self, names: list[str], environment: Mapping[str, str] | None = None) -> None:
        places = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
        programs = {name: shutil.which(name, path=places) for name in ("sshd", "ssh", "ssh-keygen")}
        missing = [name for name, path in programs.items() if path is None]
        if missing:
            raise SshUnusable(f"{', '.join(missing)} is not installed")
        self._programs = programs
        self._processes: list[subprocess.Popen] = []
        self.ports: dict[str, int] = {}
        # Debian's sshd wants this folder, which its service makes at boot; where no service runs, nobody has made it.
        with contextlib.suppress(PermissionError):
            Path("/run/sshd").mkdir(exist_ok=True)
        # Not below pytest's folder: the paths of sockets and keys are to be short, and others may not look into it.
        self.folder = Path(tempfile.mkdtemp(prefix="runbook-ssh-"))
        # Not the user's own: its .bashrc does what this machine's owner likes. And of a module that is killed its files
        # stay where they were.
        own = {"HOME": str(self.folder / "home"), "TMPDIR": str(self.folder / "tmp")}
        self._environment = {**own, **(environment or {})}
        try:
            for path in own.values():
                Path(path).mkdir()
            for key in ("host", "user"):
                self._run(
                    programs["ssh-keygen"], "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / key)
                )
            shutil.copy(self.folder / "user.pub", self.folder / "authorized_keys")
            for name in names:
                self._start(name)
        except BaseException:
            self.stop()
            raise

    @staticmethod
    def _run(*command: Any) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SshUnusable(f"{Path(command[0]).name}: {done.stderr.strip() or done.stdout.strip()}")

    def _start(self, name: str) -> None:
        port = free_port()
        configuration = self.folder / f"{name}.conf"
        environment = " ".join(f'"{key}={value}"' for key, value in self._environment.items())
        configuration.write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {self.folder}/host\nPidFile none\n"
            f"AuthorizedKeysFile {self.folder}/authorized_keys\nStrictModes no\nUsePAM no\nUseDNS no\n"
            f"PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n"
            f"AllowUsers {getpass.getuser()}\nSetEnv {environment}\n",
            encoding="utf-8",
        )
        self._run(self._programs["sshd"], "-t", "-f", str(configuration))
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [self._programs["sshd"], "-D", "-e", "-f", str(configuration)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._processes.append(process)
        self.ports[name] = port
        while process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
            except ConnectionRefusedError:
                continue
            break
        else:
            raise SshUnusable(f"sshd: {(self.folder / f'{name}.log').read_text().strip()}")
        key = " ".join((self.folder / "host.pub").read_text(encoding="utf-8").split()[:2])
        with (self.folder / "known_hosts").open("a", encoding="utf-8") as known:
            known.write(f"[127.0.0.1]:{port} {key}\n")

    def variables(self, name: str) -> dict[str, Any]:
        """What the inventory says of a host."""
        return {
            "ansible_connection": "ssh",
            "ansible_host": "127.0.0.1",
            "ansible_port": self.ports[name],
            "ansible_user": getpass.getuser(),
            "ansible_ssh_private_key_file": str(self.folder / "user"),
            # As ansible.cfg has it: one connection a host and not one a task; ``stop`` ends it.
            "ansible_ssh_args": "-F none -o ControlMaster=auto -o ControlPersist=60s -o IdentitiesOnly=yes"
            f" -o StrictHostKeyChecking=yes -o UserKnownHostsFile={self.folder}/known_hosts",
            # Ansible fills in names of its own after one %, so that ssh gets its %p from two.
            "ansible_control_path": str(self.folder / "%%p.socket"),
            "ansible_python_interpreter": sys.executable,
        }

    def stop(self) -> None:
        """End the connections and the servers, and remove their keys."""
        for connection in self.folder.glob("*.socket"):
            self._run(self._programs["ssh"], "-F", "none", "-S", str(connection), "-O", "exit", "127.0.0.1")
        for process in self._processes:
            process.terminate()
            process.wait()
        # A connection that ends takes its socket away itself, perhaps just now.
        shutil.rmtree(self.folder, onerror=_unless_gone)


def _unless_gone(_: object, path: str, error: tuple[type, BaseException, object]) -> None:
    if not isinstance(error[1], FileNotFoundError):
        raise error[1]
