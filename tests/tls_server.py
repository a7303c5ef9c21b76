# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A server that lets its deploy role in with TLS, a client's certificate and a password, and in no other way.

The server that the tests install was built without TLS; those of Debian and Ubuntu have it.
"""

from __future__ import annotations

import contextlib
import datetime
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from demo.local_server import SUPERUSER, LocalServer
from tests.releases import programs_of_other_releases

__all__ = ["NEWCOMER", "PASSWORD", "ROLE", "Authority", "TlsServer", "programs_with_tls", "tls_server"]

ROLE = "deploy"
PASSWORD = 'a secret, with spaces and it\'s "own" quotes'
# A role that a test makes; it needs no certificate.
NEWCOMER = "newcomer"
NAME = "localhost"

RULES = (
    f"local all {SUPERUSER} peer map=owner\n"
    f"hostssl all {ROLE} 127.0.0.1/32 scram-sha-256 clientcert=verify-full\n"
    f"hostssl all {NEWCOMER} 127.0.0.1/32 scram-sha-256\n"
)


class Authority:
    """Signs certificates for servers and roles."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"authority {folder.name}")])
        self.certificate = folder / "root.crt"
        made = self._signed(self._name, self._key, x509.BasicConstraints(ca=True, path_length=None))
        self.certificate.write_bytes(made)

    def sign(self, common_name: str) -> tuple[Path, Path]:
        """Files of a new certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        certificate, secret = (self.folder / f"{common_name}.{kind}" for kind in ("crt", "key"))
        alternative = x509.SubjectAlternativeName([x509.DNSName(common_name)])
        certificate.write_bytes(self._signed(name, key, alternative))
        secret.touch(mode=0o600)
        secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return certificate, secret

    def _signed(self, name: x509.Name, key: Any, extension: x509.ExtensionType) -> bytes:
        now = datetime.datetime.now(datetime.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(extension, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        return made.public_bytes(Encoding.PEM)


@dataclass
class TlsServer:
    """The server, and what its deploy role connects with."""

    server: LocalServer
    authority: Authority
    certificate: Path
    key: Path

    def target(self, database: str, **others: Any) -> dict[str, Any]:
        """Connection options of a module, all that the server asks for."""
        return {
            "login_host": NAME,
            "login_port": self.server.port,
            "login_user": ROLE,
            "login_password": PASSWORD,
            "login_db": database,
            "ssl_mode": "verify-full",
            "ca_cert": str(self.authority.certificate),
            "ssl_cert": str(self.certificate),
            "ssl_key": str(self.key),
            **others,
        }


def programs_with_tls() -> Path | None:
    """Folder of the programs of the newest release on this machine that was built with TLS."""
    for folder in reversed(programs_of_other_releases()):
        said = subprocess.run(
            [folder / "pg_config", "--configure"], capture_output=True, text=True, check=False
        )
        if "--with-openssl" in said.stdout or "--with-ssl" in said.stdout:
            return folder
    return None


@contextlib.contextmanager
def tls_server(folder: Path, programs: Path) -> Iterator[TlsServer]:
    """A running server; removed at the end."""
    authority = Authority(folder / "authority")
    server = LocalServer(folder / "server", fsync=False, programs=programs, roles=(SUPERUSER,))
    try:
        server.start()
        _take_tls(server, authority)
        yield TlsServer(server, authority, *authority.sign(ROLE))
    finally:
        server.remove()


def _take_tls(server: LocalServer, authority: Authority) -> None:
    for source, name in zip(
        (authority.certificate, *authority.sign(NAME)), ("ca", "crt", "key"), strict=True
    ):
        path = shutil.copy(source, server.data / f"tls.{name}")
        path.chmod(0o600)
        shutil.chown(path, server.os_user)
    (server.data / "pg_hba.conf").write_text(RULES, encoding="utf-8")
    with contextlib.closing(server.connect()) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE ROLE {ROLE} LOGIN SUPERUSER PASSWORD %s", (PASSWORD,))
            for name, value in (("ca_file", "tls.ca"), ("cert_file", "tls.crt"), ("key_file", "tls.key")):
                cursor.execute(f"ALTER SYSTEM SET ssl_{name} = '{value}'")
            cursor.execute("ALTER SYSTEM SET ssl = on")
    # A start would write pg_hba.conf anew.
    with contextlib.closing(server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_reload_conf()")
