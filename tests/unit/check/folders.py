# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Folders of SQL with faults, and what a check says of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ansible_collections.pgops.runbook.plugins.plugin_utils.check.finding import Finding
from ansible_collections.pgops.runbook.plugins.plugin_utils.check.look import look

GATING = ("ban-drop-database", "ban-truncate-cascade")

#: In the layout plain, without a fault.
SOUND = {
    "migrations/001_notes.sql": "CREATE TABLE notes (id bigint PRIMARY KEY);\n",
    "rollback/001_notes_rollback.sql": "DROP TABLE notes;\n",
}


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files below a folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def seen(folder: Path, layout: str = "auto", version_table: object = "") -> tuple[Finding, ...]:
    """What there is to see in a folder."""
    return look(str(folder), layout, version_table, GATING).findings


def places(findings: tuple[Finding, ...]) -> list[tuple[str, int, str]]:
    """File, line and rule of each."""
    return [(one.file, one.line, one.key.rule) for one in findings]
