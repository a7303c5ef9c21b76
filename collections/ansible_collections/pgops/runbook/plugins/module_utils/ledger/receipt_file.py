# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Receipts in a file beside the backup, for runs that only read the target database."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Mapping, Sequence

from ..digests import canonical_json
from ..durable import write_file_durably
from ..errors import Refused, known
from ..own_files import NotOurs, read_regular
from ..shapes import Catalog, Identity, Json, Receipt
from .receipts import FIRST_PREVIOUS, broken_link, make_receipt
from .run_folder import make_run_folder

__all__ = ["ReceiptFile"]


class ReceiptFile:
    """What Ledger is to a deploy, ReceiptFile is to a rehearsal; the cursor arguments are not used.

    Args:
        backup_dir, run_id: the file is ``<backup_dir>/<run_id>/receipts.json``.
    """

    def __init__(self, backup_dir: str, run_id: str) -> None:
        self.run_id = run_id
        self.path = os.path.join(os.path.abspath(backup_dir), run_id, "receipts.json")

    def _read(self) -> Json | None:
        try:
            return json.loads(read_regular(self.path))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except NotOurs as error:
            raise Refused(
                "backup_dir_unusable",
                f"The receipts of this rehearsal cannot be read: {error.strerror}. Find out who made it, and start a"
                " new run.",
            ) from None

    def create(self, cursor: object) -> bool:
        return False

    def open_run(
        self,
        cursor: object,
        run_id: str,
        playbook: str,
        migrations: Sequence[str],
        operator: str,
        controller: Json,
    ) -> None:
        make_run_folder(os.path.dirname(self.path))
        write_file_durably(
            self.path,
            canonical_json(
                {"playbook": playbook, "migrations": list(migrations), "outcome": None, "receipts": []}
            ),
        )

    def run(self, cursor: object, run_id: str) -> Json | None:
        content = self._read()
        if content is None:
            return None
        return {
            "run_id": run_id,
            "playbook": content["playbook"],
            "migrations": content["migrations"],
            "finished": content["outcome"] is not None,
            "outcome": content["outcome"],
        }

    def unfinished_run(self, cursor: object) -> None:
        return None

    def extend_lease(self, cursor: object, run_id: str) -> None:
        """A rehearsal holds no database, so it has no lease."""

    def finish_run(
        self, cursor: object, run_id: str, outcome: str, reason: str, record_sha256: str = ""
    ) -> bool:
        content = self._read()
        if content is None or content["outcome"] is not None:
            return False
        content["outcome"] = outcome
        content["record_sha256"] = record_sha256
        write_file_durably(self.path, canonical_json(content))
        return True

    def receipts(self, cursor: object, run_id: str | None = None) -> list[Receipt]:
        content = self._read()
        return content["receipts"] if content else []

    def chain_is_broken(self, cursor: object, run_id: str) -> bool:
        return broken_link(self.receipts(cursor)) is not None

    def exists(self, cursor: object) -> bool:
        """There is nothing that would have to be made in the database first."""
        return True

    def keep_signatures(self, cursor: object, run_id: str, signed: Mapping[str, str]) -> None:
        """The copies on the controller have them; a rehearsal is asked for nothing later."""

    def append(
        self,
        cursor: object,
        run_id: str,
        step: str,
        status: str,
        started: str,
        identity: Identity,
        migration: str | None = None,
        inputs: Json | None = None,
        outputs: Json | None = None,
    ) -> Receipt:
        content = known(self._read(), "the file of receipts, which open_run() writes")
        previous = content["receipts"][-1]["digest"] if content["receipts"] else FIRST_PREVIOUS
        finished = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        receipt = make_receipt(
            run_id, step, status, started, finished, identity, previous, migration, inputs, outputs
        )
        content["receipts"].append(receipt)
        write_file_durably(self.path, canonical_json(content))
        return receipt

    def keep_catalog(self, cursor: object, catalog: Catalog) -> None:
        """Nothing is applied to production by a rehearsal, so no catalog is asked for again."""
