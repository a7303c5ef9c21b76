# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Encrypting the files of a dump, each by itself, with age or GnuPG on the host that makes the backup.

pg_dump writes a folder of files itself and knows no encryption, so that they lie there unencrypted for as long as a
step works on them: in a folder that only their owner may enter, and that is removed whatever happens to the step.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..errors import Refused, StepFailed
from ..postgres.programs import ended_program
from ..sentences import listed

__all__ = ["ENCRYPTION_SPEC", "Encryption"]

NONE = "none"
ENCRYPTION_SPEC: dict[str, Any] = {
    "encryption": {
        "type": "dict",
        "options": {
            "method": {"type": "str", "default": NONE, "choices": [NONE, "age", "gpg"]},
            "recipients": {"type": "list", "elements": "str", "default": []},
            "identity": {"type": "path", "default": ""},
        },
    }
}

PROBE = b"Whether what is encrypted today can be decrypted today.\n"


class Encryption:
    """How the files of a backup are encrypted.

    Args:
        method: "none", "age" or "gpg"; also the ending of a file that was encrypted so.
        recipients: who can decrypt it: public keys of age; names, addresses or fingerprints of keys that GnuPG knows.
        identity: what decrypts it: a file with age's secret key; the home folder of GnuPG, or empty for the user's own.
        jobs: how many files at a time.
    """

    def __init__(
        self, method: str = NONE, recipients: Sequence[str] = (), identity: str = "", jobs: int = 2
    ) -> None:
        self.method, self.recipients, self.identity, self.jobs = method, recipients, identity, jobs

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Encryption:
        """As a step's options have it (ENCRYPTION_SPEC)."""
        return cls(**(params.get("encryption") or {}), jobs=params.get("jobs") or 1)

    def as_was(self, method: str) -> Encryption:
        """The one that a backup was made with, whatever is asked for today; identity and jobs are today's."""
        return Encryption(method, self.recipients, self.identity, self.jobs)

    def __bool__(self) -> bool:
        return self.method != NONE

    def encrypt_folder(self, plain: str, folder: str) -> None:
        """Encrypt every file of ``plain`` into ``folder``, which is made here, and remove ``plain``.

        Raises:
            StepFailed: with what the program said.
        """
        os.mkdir(folder, 0o700)
        self._each(self._encrypt, plain, folder, lambda name: f"{name}.{self.method}")
        shutil.rmtree(plain)

    @contextlib.contextmanager
    def decrypted(self, folder: str, plain: str) -> Iterator[str]:
        """A folder with the files of ``folder`` as they were: ``plain``, which is removed again.

        Raises:
            StepFailed: with what the program said.
        """
        if not self:
            yield folder
            return
        shutil.rmtree(plain, ignore_errors=True)  # of one that was killed
        os.mkdir(plain, 0o700)
        try:
            self._each(self._decrypt, folder, plain, lambda name: name[: -len(f".{self.method}")])
            yield plain
        finally:
            shutil.rmtree(plain)

    def check(self) -> None:
        """Encrypt and decrypt a few words, before there is a backup that nobody can read.

        Raises:
            Refused: it cannot be done as it is set.
        """
        if not self:
            return
        if not self.recipients:
            raise Refused(
                "backup_encryption_unusable",
                f"backup_encryption is {self.method}, but backup_recipients is empty: nobody could decrypt the backup."
                " Nothing was changed. Name at least one public key.",
            )
        try:
            with tempfile.TemporaryDirectory() as folder:
                written, encrypted, read = (
                    os.path.join(folder, name) for name in ("words", "encrypted", "read")
                )
                with open(written, "wb") as file:
                    file.write(PROBE)
                self._encrypt(written, encrypted)
                self._decrypt(encrypted, read)
                with open(read, "rb") as file:
                    same = file.read() == PROBE
        except StepFailed as error:
            raise Refused(error.code, f"{error.reason} Nothing was changed.") from None
        if not same:
            raise Refused(
                "backup_encryption_unusable",
                f"What {self.method} decrypts is not what it has encrypted. Nothing was changed. Look at the program.",
            )

    def _each(
        self,
        action: Callable[[str, str], None],
        source: str,
        target: str,
        name_in_target: Callable[[str], str],
    ) -> None:
        with ThreadPoolExecutor(self.jobs) as pool:
            done = [
                pool.submit(action, os.path.join(source, name), os.path.join(target, name_in_target(name)))
                for name in sorted(os.listdir(source))
            ]
            for one in done:
                one.result()

    def _encrypt(self, source: str, target: str) -> None:
        to = [text for recipient in self.recipients for text in ("--recipient", recipient)]
        if self.method == "age":
            self._run(["--encrypt", *to, "--output", target, source])
        else:
            # The keys are named by whoever set the variable, which is trust enough.
            self._run(["--encrypt", *to, "--trust-model", "always", "--output", target, source])

    def _decrypt(self, source: str, target: str) -> None:
        if self.method == "age" and not self.identity:
            raise StepFailed(
                "backup_encryption_unusable",
                "backup_identity is empty, the file with age's secret key: without it the backup cannot be proven by"
                " restoring it.",
            )
        identity = ["--identity", self.identity] if self.method == "age" else []
        self._run(["--decrypt", *identity, "--output", target, source])

    def _run(self, arguments: Sequence[str]) -> None:
        path = shutil.which(self.method)
        if path is None:
            raise StepFailed(
                "backup_encryption_unusable",
                f"The program {self.method} was not found on PATH of the host that makes the backup. Install it.",
            )
        # Keys are those of the keyring: none is asked of a network, where anybody may have put one.
        options = ["--batch", "--no-tty", "--yes", "--no-auto-key-locate", "--disable-dirmngr"]
        options = options if self.method == "gpg" else []
        environment = {**os.environ, "LC_ALL": "C"}
        if self.method == "gpg" and self.identity:
            environment["GNUPGHOME"] = self.identity
        answer = ended_program([path, *options, *arguments], environment)
        if answer.returncode != 0:
            said = listed(answer.stderr.strip().splitlines(), 3, " / ") or "it said nothing"
            what = "encrypt" if "--encrypt" in arguments else "decrypt"
            raise StepFailed(
                "backup_encryption_unusable",
                f"{self.method} could not {what} {arguments[-1]} (exit status {answer.returncode}): {said.rstrip('.')}."
                " Look at backup_recipients and backup_identity.",
            )
