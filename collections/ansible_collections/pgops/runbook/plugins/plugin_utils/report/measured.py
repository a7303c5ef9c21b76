# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the linter and the measurements say of a run's migrations, as lines of text."""

from __future__ import annotations

from typing import Any

from ...module_utils.sentences import listed

__all__ = ["limits_lifted", "locked", "measured"]

HARMLESS_LOCKS = ("AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock")


def measured(run: dict[str, Any]) -> list[str]:
    """What the linter and the measurements say of each migration."""
    lines = [_lint(version, found) for version, found in (run.get("lint") or {}).items() if found]
    for version, impact in run.get("impact", {}).items():
        lines += [f"Impact of {version} {_impact(where, found)}" for where, found in impact.items()]
    return lines


def locked(run: dict[str, Any]) -> list[str]:
    """How long the run held up others in production: a line a migration that did."""
    lines = []
    for version, impact in run.get("impact", {}).items():
        held = [
            f"{lock['table']} for {lock['held_seconds']:.2f} s ({lock['mode']})"
            for lock in impact.get("production", {}).get("locks", [])
            if lock["mode"] not in HARMLESS_LOCKS
        ]
        if held:
            lines.append(f"Locked by {version}: {listed(held, separator=', ')}")
    return lines


def limits_lifted(version: str, impact: dict[str, Any]) -> list[str]:
    """A line where the script tried to lift limits, wherever that was seen."""
    lifted = dict.fromkeys(
        f"line {statement['line']} sets {limit}"
        for measured in impact.values()
        for statement in measured.get("statements", [])
        for limit in statement.get("limits_lifted", [])
    )
    if not lifted:
        return []
    return [
        f"Limits of {version}: {listed(list(lifted))}, without effect: lock_timeout_seconds and"
        " statement_timeout_seconds are the runbook's"
    ]


def _lint(version: str, findings: list[dict[str, Any]]) -> str:
    """One line: how often each rule was broken, and where."""
    lines_of: dict[str, list[str]] = {}
    for one in findings:
        lines_of.setdefault(one["rule"], []).append(str(one["line"]))
    return f"Lint of {version}: " + "; ".join(
        f"{rule} (line {', '.join(at)})" for rule, at in lines_of.items()
    )


def _impact(where: str, measured: dict[str, Any]) -> str:
    """One line: time, locks that stop somebody, rewrites, rows, WAL."""
    parts = [f"{measured['seconds']:.2f} s"]
    parts += [
        f"{lock['mode']} on {lock['table']} for {lock['held_seconds']:.2f} s"
        for lock in measured["locks"]
        if lock["mode"] not in HARMLESS_LOCKS
    ]
    parts += [f"rewrites {table}" for table in measured["rewritten"]]
    for table, rows in measured["rows"].items():
        changes = ", ".join(f"{count} {what}" for what, count in rows.items() if count)
        parts.append(f"{table}: {changes}")
    parts.append(_wal(measured))
    return f"{'on the copy' if where == 'copy' else 'in production'}: " + "; ".join(parts)


def _wal(measured: dict[str, Any]) -> str:
    """Full-page images apart where the server tells: how many there are depends on the last checkpoint."""
    wal = measured.get("session_wal")
    if wal is None:
        return f"{measured['wal_bytes'] / 2**20:.1f} MB of WAL of the whole server, full-page images included"
    images = wal["bytes"] - wal["bytes_without_images"]
    return (
        f"{wal['records']} WAL records in {wal['bytes'] / 2**20:.1f} MB, up to {images / 2**20:.1f} MB of it"
        " full-page images"
    )
