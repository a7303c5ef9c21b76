# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A connection to a target that is not there: each module answers what preflight says where there is nothing to do."""

from __future__ import annotations

import json
from typing import Any

from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
name: simulated
short_description: Targets that are not there, for a measurement of the controller
description:
  - Whatever is executed answers what preflight answers of a database that has the migration already.
author:
  - The pgops runbook authors
"""

ANSWER: dict[str, Any] = {
    "changed": False,
    "step": "preflight",
    "started": "2026-01-01T00:00:00.000000Z",
    "seconds": 0.001,
    "receipts": [],
    "committed": [],
    "out_of_service": [],
    "goes_on": False,
    "library_hosts": [],
    "outputs": {
        "migrations": [],
        "sql_layout": "plain",
        "left_out": {},
        "applied_before": ["001", "003"],
        "database_bytes": 8328895,
        "lint": {},
        "client_programs": {"pg_dump": 18, "pg_restore": 18},
        "prechecks": [],
        "server_version": 180006,
        "files": [],
        "restore_point": None,
        "replication": [],
        "called_as_superuser": [],
        "library_hosts": [],
    },
}


class Connection(ConnectionBase):
    """See DOCUMENTATION."""

    transport = "simulated"
    # The module comes in at once, as over SSH with pipelining.
    has_pipelining = True

    def _connect(self) -> Connection:
        return self

    def exec_command(
        self, cmd: str, in_data: bytes | None = None, sudoable: bool = True
    ) -> tuple[int, bytes, bytes]:
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        return 0, json.dumps(ANSWER).encode(), b""

    def put_file(self, in_path: str, out_path: str) -> None:
        """Nothing is kept."""

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Nothing is there."""

    def close(self) -> None:
        """Nothing was opened."""
