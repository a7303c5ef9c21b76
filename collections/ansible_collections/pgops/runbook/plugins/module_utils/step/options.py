# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options that every step has."""

from __future__ import annotations

import getpass

from ..postgres.connection import TARGET_SPEC
from ..shapes import Json

__all__ = ["RUN_SPEC", "operator_name", "step_argument_spec"]

RUN_SPEC = {
    "run_id": {"type": "str", "required": True},
    "playbook": {
        "type": "str",
        "required": True,
        "choices": [
            *("deploy", "rehearse", "emergency_rollback", "restore", "drill"),
            *("salvage", "status", "history", "cleanup", "approve", "new_migration"),
        ],
    },
    "migration": {"type": "str", "default": ""},
    "up_to": {"type": "str", "default": ""},
    "skip": {"type": "raw", "default": ""},
    "down_to": {"type": "str", "default": ""},
    "exactly": {"type": "list", "elements": "str", "default": []},
    "tag": {"type": "str", "default": ""},
    "sql_dir": {"type": "str", "default": "sql"},
    "sql_layout": {"type": "str", "default": "auto"},
    "version_table": {"type": "raw", "default": ""},
    "artifacts_dir": {"type": "str", "default": "artifacts"},
    "operator": {"type": "str", "default": ""},
    "controller": {"type": "dict", "default": {}},
    "library_hosts": {"type": "list", "elements": "str", "default": []},
    "signed": {"type": "dict"},
    "last_receipt": {"type": "str", "default": ""},
    "died": {"type": "dict", "options": {"code": {"type": "str"}, "reason": {"type": "str"}}},
}


def step_argument_spec(**options: Json) -> Json:
    """The options that every step has, and those of one step."""
    return {
        "target": {"type": "dict", "required": True, "options": TARGET_SPEC},
        "run": {"type": "dict", "required": True, "options": RUN_SPEC},
        "plan": {"type": "dict", "default": {}},
        "progress_file": {"type": "path", "default": ""},
        "backup_dir": {"type": "path", "default": "backups"},
        "backup_max_age_minutes": {"type": "int", "default": 60},
        **options,
    }


def operator_name(given: str) -> str:
    """Who runs this: as given by the controller, or the operating system's user."""
    return given or getpass.getuser()
