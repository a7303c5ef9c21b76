# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keys of age and GnuPG for tests, made by the real programs."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

METHODS = ("age", "gpg")
MISSING = [name for name in (*METHODS, "age-keygen") if shutil.which(name) is None]

needs_programs = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


def age_key(folder: Path, name: str = "key.txt") -> dict[str, Any]:
    """Options of Encryption, with a new key in a file."""
    identity = folder / name
    made = subprocess.run(["age-keygen", "-o", str(identity)], capture_output=True, text=True, check=True)
    return {
        "method": "age",
        "recipients": [made.stderr.rpartition("Public key: ")[2].strip()],
        "identity": str(identity),
    }


@contextlib.contextmanager
def keys(method: str, folder: Path) -> Iterator[dict[str, Any]]:
    """Options of Encryption with a new key; the agent that GnuPG starts for it is stopped."""
    if method == "age":
        yield age_key(folder)
        return
    # The path of its sockets must be short.
    home = tempfile.mkdtemp(prefix="gpg")
    command = ["gpg", "--homedir", home, "--batch", "--quiet", "--passphrase", "", "--quick-generate-key"]
    subprocess.run([*command, "backup@example.org"], check=True, capture_output=True)
    try:
        yield {"method": "gpg", "recipients": ["backup@example.org"], "identity": home}
    finally:
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=True, capture_output=True)
        # The agent removes its sockets while it ends.
        shutil.rmtree(home, ignore_errors=True)
