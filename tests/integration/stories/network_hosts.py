# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hosts with addresses of their own: a network namespace each, with an sshd and a PostgreSQL server of the system's.

They share this machine's kernel, disk and users; what they have to themselves is the network. Nobody logs in as root.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

__all__ = ["NetworkHosts", "NetworkUnusable"]

LOGIN = "postgres"  # Debian's package makes this user, with a shell and no other rights than to run a server
PYTHON = "/usr/bin/python3"
PORT = 5432


class NetworkUnusable(Exception):
    """No such hosts can be had here; says why."""


@dataclass
class Host:
    """One host: its namespace, its address, and what runs there."""

    name: str
    namespace: str
    address: str
    processes: list[subprocess.Popen] = field(default_factory=list)


def server_programs() -> Path:
    """The newest PostgreSQL server of the system's packages."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    if not found:
        raise NetworkUnusable("no PostgreSQL server of the system's packages is installed")
    return found[-1].parent


class NetworkHosts:
    """Hosts on a network of their own, reached over SSH as an unprivileged user.

    Args:
        names: of the hosts.

    Raises:
        NetworkUnusable: not root, or a program or package is missing.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.bindir = server_programs()
        self._check()
        # Names of network interfaces have at most 15 characters (linux/if.h, IFNAMSIZ).
        self._mark = f"rb{os.getpid() % 100000}"
        self._network = f"10.231.{os.getpid() % 250}"
        self.folder = Path(tempfile.mkdtemp(prefix="runbook-net-"))
        self.hosts = {
            name: Host(name, f"{self._mark}-{number}", f"{self._network}.{10 + number}")
            for number, name in enumerate(names, start=1)
        }
        try:
            shutil.chown(self.folder, LOGIN)
            self._make_keys()
            _run("ip", "link", "add", self._mark, "type", "bridge")
            _run("ip", "address", "add", f"{self._network}.1/24", "dev", self._mark)
            _run("ip", "link", "set", self._mark, "up")
            for host in self.hosts.values():
                self._start(host)
        except BaseException:
            self.stop()
            raise

    @staticmethod
    def _check() -> None:
        if os.geteuid() != 0:
            raise NetworkUnusable("only root can make network namespaces")
        missing = [name for name in ("ip", "sshd", "ssh-keygen", "runuser") if shutil.which(name) is None]
        if missing:
            raise NetworkUnusable(f"{', '.join(missing)} is not installed")
        with contextlib.suppress(KeyError):
            pwd.getpwnam(LOGIN)
            probe = subprocess.run([PYTHON, "-c", "import psycopg2"], capture_output=True, check=False)
            if probe.returncode == 0:
                return
        raise NetworkUnusable(f"user {LOGIN} or psycopg2 for {PYTHON} is missing")

    def _make_keys(self) -> None:
        for key in ("host", "user"):
            _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / key))
        Path("/run/sshd").mkdir(exist_ok=True)
        public = (self.folder / "host.pub").read_text(encoding="utf-8").split()[:2]
        (self.folder / "known_hosts").write_text(
            "".join(f"{host.address} {' '.join(public)}\n" for host in self.hosts.values()), encoding="utf-8"
        )

    def _start(self, host: Host) -> None:
        outer, inner = f"{host.namespace}o", f"{host.namespace}i"
        _run("ip", "netns", "add", host.namespace)
        _run("ip", "link", "add", outer, "type", "veth", "peer", "name", inner, "netns", host.namespace)
        _run("ip", "link", "set", outer, "master", self._mark, "up")
        inside = ("ip", "-n", host.namespace)
        _run(*inside, "address", "add", f"{host.address}/24", "dev", inner)
        _run(*inside, "link", "set", inner, "up")
        _run(*inside, "link", "set", "lo", "up")
        configuration = self.folder / f"{host.name}.conf"
        configuration.write_text(
            f"Port 22\nListenAddress {host.address}\nHostKey {self.folder}/host\nPidFile none\n"
            # The user has no password: without PAM sshd takes that for an account that is locked.
            f"AuthorizedKeysFile {self.folder}/user.pub\nStrictModes no\nUsePAM yes\nUseDNS no\n"
            f"PasswordAuthentication no\nKbdInteractiveAuthentication no\nAllowUsers {LOGIN}\n",
            encoding="utf-8",
        )
        self._launch(host, str(shutil.which("sshd")), "-D", "-e", "-f", str(configuration))
        data = self.folder / host.name
        as_login = ("runuser", "-u", LOGIN, "--")
        _run(*as_login, str(self.bindir / "initdb"), f"--pgdata={data}", "--auth=trust", "--no-sync")
        with (data / "pg_hba.conf").open("a", encoding="utf-8") as rules:
            rules.write(f"host all all {self._network}.0/24 trust\n")
        settings = {
            "listen_addresses": host.address,
            "unix_socket_directories": "",
            "fsync": "off",
            "shared_buffers": "16MB",
        }
        options = [text for name, value in settings.items() for text in ("-c", f"{name}={value}")]
        self._launch(host, *as_login, str(self.bindir / "postgres"), "-D", str(data), *options)
        self._wait(host)

    def _launch(self, host: Host, *command: str) -> None:
        with (self.folder / f"{host.name}.log").open("ab") as log:
            host.processes.append(
                subprocess.Popen(
                    ["ip", "netns", "exec", host.namespace, *command],
                    cwd="/",
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            )

    def _wait(self, host: Host) -> None:
        while all(process.poll() is None for process in host.processes):
            with contextlib.suppress(psycopg2.OperationalError):
                self.connect(host.name, "postgres").close()
                return
            time.sleep(0.05)
        raise NetworkUnusable((self.folder / f"{host.name}.log").read_text(encoding="utf-8").strip())

    def connect(self, name: str, database: str) -> Any:
        """A psycopg2 connection to a database of a host's server, over the network."""
        return psycopg2.connect(host=self.hosts[name].address, port=PORT, user=LOGIN, dbname=database)

    def cut_off(self, name: str) -> None:
        """Nothing reaches the host any more."""
        _run("ip", "link", "set", f"{self.hosts[name].namespace}o", "down")

    def variables(self, name: str) -> dict[str, Any]:
        """What the inventory says of a host."""
        return {
            "ansible_connection": "ssh",
            "ansible_host": self.hosts[name].address,
            "ansible_user": LOGIN,
            "ansible_python_interpreter": PYTHON,
            "ansible_ssh_private_key_file": str(self.folder / "user"),
            "ansible_ssh_args": "-F none -o ControlMaster=auto -o ControlPersist=60s -o IdentitiesOnly=yes"
            f" -o StrictHostKeyChecking=yes -o UserKnownHostsFile={self.folder}/known_hosts"
            # As ansible.cfg has it, and sooner: a connection that is open would wait for a host that is cut off.
            " -o ServerAliveInterval=2 -o ServerAliveCountMax=3",
            "ansible_control_path": str(self.folder / "%%h.socket"),
            "ansible_timeout": 5,
            "db_host": self.hosts[name].address,
            "db_port": PORT,
            "db_user": LOGIN,
            "pg_bindir": str(self.bindir),
        }

    def stop(self) -> None:
        """End connections, servers and namespaces, and remove what they had on disk."""
        for connection in self.folder.glob("*.socket"):
            command = ["ssh", "-F", "none", "-S", str(connection), "-O", "exit", LOGIN]
            subprocess.run(command, capture_output=True, check=False)
        for host in self.hosts.values():
            for process in reversed(host.processes):
                process.terminate()
            for process in host.processes:
                process.wait()
            # An sshd leaves its sessions to themselves, and one whose client was cut off would wait for hours.
            inside = subprocess.run(
                ["ip", "netns", "pids", host.namespace], capture_output=True, text=True, check=False
            )
            for pid in inside.stdout.split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            # The clean-up of a namespace is asynchronous; the outer end goes with its peer.
            for command in (
                ("ip", "link", "delete", f"{host.namespace}o"),
                ("ip", "netns", "delete", host.namespace),
            ):
                subprocess.run(command, capture_output=True, check=False)
        subprocess.run(["ip", "link", "delete", self._mark], capture_output=True, check=False)
        shutil.rmtree(self.folder)


def _run(*command: str) -> None:
    # Not in this process's folder, which another user may not enter.
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NetworkUnusable(f"{' '.join(command[:3])}: {done.stderr.strip() or done.stdout.strip()}")
