# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""An object store with the interface of S3, by moto, on a port of 127.0.0.1 with TLS; what it holds is in memory."""

from __future__ import annotations

import contextlib
import importlib.util
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.tls_server import NAME, Authority

__all__ = ["S3Server", "s3_server", "why_no_s3"]


@dataclass
class S3Server:
    """Where the store is, and who has signed its certificate.

    Attributes:
        host, port: in the certificate is the name.
        certificate: of the authority.
        bucket: one that is there.
    """

    host: str
    port: int
    certificate: Path
    bucket: str


def why_no_s3() -> str | None:
    """Why there can be none here, for the reason of a skip."""
    missing = [name for name in ("moto", "flask", "flask_cors") if importlib.util.find_spec(name) is None]
    return f"the Python package {missing[0]} is not installed" if missing else None


@contextlib.contextmanager
def s3_server(folder: Path, bucket: str) -> Iterator[S3Server]:
    """A server while it is needed; it lets anybody in who signs requests, with whatever key.

    Args:
        folder: for certificates; it is made.
    """
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from moto.s3.models import s3_backends
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Handler(WSGIRequestHandler):
        # A connection serves many requests.
        protocol_version = "HTTP/1.1"

        def finish(self) -> None:
            """Say that nothing more comes: to OpenSSL 3 an end without these words is one that somebody has cut off."""
            super().finish()
            with contextlib.suppress(OSError):
                self.connection.settimeout(5)
                self.connection.unwrap()

        def log(self, type: str, message: str, *arguments: object) -> None:
            """Not on the screen."""

    authority = Authority(folder)
    s3_backends["123456789012"]["aws"].create_bucket(bucket, "us-east-1")
    server = make_server(
        "127.0.0.1",
        0,
        DomainDispatcherApplication(create_backend_app),
        threaded=True,
        request_handler=Handler,
        ssl_context=tuple(str(path) for path in authority.sign(NAME)),
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield S3Server(NAME, server.server_port, authority.certificate, bucket)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        s3_backends.reset()
