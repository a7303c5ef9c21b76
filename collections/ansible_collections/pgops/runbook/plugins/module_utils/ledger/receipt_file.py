# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Receipts in a file beside the backup, for runs that only read the target database."""

from __future__ import annotations

import datetime
import json
import os

from ..digests import canonical_json
from ..durable import write_file_durably
from .receipts import FIRST_PREVIOUS, broken_link, make_receipt

__all__ = ["ReceiptFile"]


class ReceiptFile:
    """What Ledger is to a deploy, ReceiptFile is to a rehearsal; the cursor arguments are not used.

    Args:
        backup_dir, run_id: the file is ``<backup_dir>/<run_id>/receipts.json``.
    """

    def __init__(self, backup_dir, run_id):
        self.run_id = run_id
        self.path = os.path.join(os.path.abspath(backup_dir), run_id, "receipts.json")

    def _read(self):
        try:
            with open(self.path, encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return None

    def create(self, cursor):
        return False

    def open_run(self, cursor, run_id, playbook, migrations, operator, controller):
        os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
        write_file_durably(
            self.path,
            canonical_json(
                {"playbook": playbook, "migrations": list(migrations), "outcome": None, "receipts": []}
            ),
        )

    def run(self, cursor, run_id):
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

    def unfinished_run(self, cursor):
        return None

    def extend_lease(self, cursor, run_id):
        """A rehearsal holds no database, so it has no lease."""

    def finish_run(self, cursor, run_id, outcome, reason):
        content = self._read()
        if content is None or content["outcome"] is not None:
            return False
        content["outcome"] = outcome
        write_file_durably(self.path, canonical_json(content))
        return True

    def receipts(self, cursor, run_id=None):
        content = self._read()
        return content["receipts"] if content else []

    def chain_is_broken(self, cursor, run_id):
        return broken_link(self.receipts(cursor)) is not None

    def append(
        self, cursor, run_id, step, status, started, identity, migration=None, inputs=None, outputs=None
    ):
        content = self._read()
        previous = content["receipts"][-1]["digest"] if content["receipts"] else FIRST_PREVIOUS
        finished = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        receipt = make_receipt(
            run_id, step, status, started, finished, identity, previous, migration, inputs, outputs
        )
        content["receipts"].append(receipt)
        write_file_durably(self.path, canonical_json(content))
        return receipt

    def keep_catalog(self, cursor, catalog):
        """Nothing is applied to production by a rehearsal, so no catalog is asked for again."""
