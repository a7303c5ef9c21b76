# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The folder that a run has among the artifacts: run.json, and copies of its receipts."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...module_utils.digests import sha256_of_text
from ...module_utils.durable import one_at_a_time
from ...module_utils.errors import Refused
from ...module_utils.ledger.signatures import is_signed, signature_of
from ...module_utils.own_files import (
    is_link_of_another,
    make_own_folder,
    make_parent,
    open_regular,
    read_regular,
)

__all__ = ["RECEIPTS", "RunFolder", "sha256_of_file"]

#: Of a run's folder, the one with copies of its receipts.
RECEIPTS = "receipts"


def sha256_of_file(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes.

    Raises:
        OSError: it cannot be read, or is no file (own_files.open_regular).
    """
    with open_regular(str(path)) as file:
        return hashlib.sha256(file.read()).hexdigest()


class RunFolder:
    """``<artifacts_dir>/<run_id>``; made when something is written.

    Args:
        artifacts_dir: holds one folder for each run, and ``latest``.
        run_id: name of the run.
    """

    def __init__(self, artifacts_dir: str, run_id: str) -> None:
        self.artifacts_dir = Path(artifacts_dir).expanduser().absolute()
        self.path = self.artifacts_dir / run_id
        self.record = self.path / "run.json"

    def read(self) -> dict[str, Any] | None:
        """The content of run.json; None where there is none.

        Raises:
            Refused: it cannot be read.
        """
        try:
            return json.loads(read_regular(str(self.record)))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise Refused(
                "record_unusable",
                f"The record {self.record} cannot be read: {error.strerror}. Check artifacts_dir, and start a new"
                " run.",
            ) from None
        except ValueError as error:
            raise Refused(
                "record_unusable",
                f"The record {self.record} of this run is damaged ({error}). Start a new run.",
            ) from None

    def write(self, content: dict[str, Any]) -> None:
        """Replace run.json as a whole, and point ``latest`` to the folder.

        Raises:
            OSError: the artifacts folder cannot be written, or what is there is not ours (own_files.NotOurs).
        """
        self.make()
        _replace(self.record, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
        link = self.artifacts_dir / "latest"
        # Runs in other databases may be saved at the same moment, and one that is older must not have the last word.
        with one_at_a_time(self.artifacts_dir, needed=False):
            # What another user has called so leads wherever that one likes.
            if (
                not link.is_symlink()
                or is_link_of_another(str(link))
                or link.readlink().name < self.path.name
            ):
                temporary = self.artifacts_dir / f".latest-{secrets.token_hex(8)}"
                temporary.symlink_to(self.path.name)
                temporary.replace(link)

    def add_receipts(self, step: str, receipts: list[dict[str, Any]], key: str) -> dict[str, str]:
        """Add copies of receipts, signed where there is a key.

        Returns:
            name in the folder -> SHA-256 (hex) of each file.

        Raises:
            OSError: see write().
        """
        folder = self.path / RECEIPTS
        self.make()
        make_own_folder(str(folder))
        number = len(list(folder.glob("*.json")))
        written = {}
        for receipt in receipts:
            number += 1
            if key:
                receipt = {**receipt, "signature": signature_of(receipt["digest"], key)}
            text = json.dumps(receipt, indent=1, ensure_ascii=False) + "\n"
            path = folder / f"{number:02d}_{step}.json"
            _replace(path, text)
            written[f"{RECEIPTS}/{path.name}"] = sha256_of_text(text)
        return written

    def digests(self, paths: Iterable[str]) -> dict[str, str]:
        """As add_receipts() returns them, of files that were written into the folder.

        Raises:
            OSError: one cannot be read.
        """
        return {Path(path).relative_to(self.path).as_posix(): sha256_of_file(Path(path)) for path in paths}

    def signatures(self, key: str) -> dict[str, str]:
        """digest -> signature of the receipts, of those copies whose signature is right."""
        signatures = {}
        for path in sorted((self.path / "receipts").glob("*.json")):
            # A damaged copy is as good as none, and the step says so.
            with contextlib.suppress(ValueError, OSError):
                receipt = json.loads(read_regular(str(path)))
                digest, signature = receipt.get("digest", ""), receipt.get("signature")
                if is_signed(digest, signature, key):
                    signatures[digest] = signature
        return signatures

    def make(self) -> None:
        """Make it, or take the one that we have made.

        Raises:
            OSError: see write().
        """
        make_parent(str(self.path))
        make_own_folder(str(self.path))


def _replace(path: Path, text: str) -> None:
    temporary = path.with_suffix(".part")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()  # of a process that was killed
    # Reports quote statements, names and rows: they are of no concern to other users of the controller.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink()  # of a full disk
        raise
