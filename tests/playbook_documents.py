# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The project's playbooks and roles as documents of YAML, for tests that compare them with what they call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parents[1]
# What every step shares: the defaults, and what is made of them, are in one role, on which every step's depends. Their
# specification is in another, on which only the first role of a command depends.
SHARED = "runbook"
CHECKED = "variables"
PLAYBOOKS = sorted([*PROJECT.glob("*.yml"), *(PROJECT / "playbooks").glob("*.yml")])
PLAYBOOKS = [path for path in PLAYBOOKS if path.name != "requirements.yml"]


def load(path: Path) -> Any:
    """The content of one file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def defaults(role: str) -> dict[str, Any]:
    """Variable -> default of a role; the shared ones are those of the role that checks them."""
    path = PROJECT / "roles" / (SHARED if role == CHECKED else role) / "defaults" / "main.yml"
    return (load(path) or {}) if path.exists() else {}


def documents() -> dict[str, Any]:
    """Path, relative to the project -> content, of all in which variables are used or made."""
    files = [
        path
        for folder in ("tasks", "vars", "defaults", "handlers")
        for path in (PROJECT / "roles").glob(f"*/{folder}/*.yml")
    ]
    return {str(path.relative_to(PROJECT)): load(path) for path in [*files, *PLAYBOOKS]}
