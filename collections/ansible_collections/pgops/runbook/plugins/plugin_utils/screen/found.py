# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a step found or did, in the few words that stand beside its name on the screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...module_utils.generation.evidence import rows_seen
from ...module_utils.sentences import counted, listed
from ..report.drilled import PHASES

__all__ = ["found_by", "megabytes"]

Outputs = dict[str, Any]


def found_by(step: str, outputs: Outputs) -> str:
    """What a step that went well found; empty where its name says all.

    Args:
        step: name of the step.
        outputs: those of its receipt.
    """
    words = WORDS.get(step)
    return words(outputs) if words else ""


def megabytes(size: int) -> str:
    """A size in bytes as a person reads it: 6.1 MB, 44 MB, 1,204 MB."""
    size_in_mb = size / 2**20
    return f"{size_in_mb:.1f} MB" if size_in_mb < 10 else f"{size_in_mb:,.0f} MB"


def _preflight(outputs: Outputs) -> str:
    version = outputs.get("server_version")
    server = f"PostgreSQL {version // 10000}.{version % 10000}" if version else ""
    size = megabytes(outputs["database_bytes"]) if outputs.get("database_bytes") else ""
    wanted = outputs.get("migrations")
    what = f"to do: {', '.join(wanted)}" if wanted else "nothing to do" if wanted is not None else ""
    held = len(outputs.get("prechecks") or [])
    tag = f"tag {outputs['tag']}" if outputs.get("tag") else ""
    what += " in one transaction" if outputs.get("together") else ""
    return _joined(what, tag, f"{counted(held, 'precondition')} met" if held else "", server, size)


def _maintenance_window(outputs: Outputs) -> str:
    if outputs.get("mode"):
        ended = outputs.get("ended_sessions") or 0
        what = {"read_only": "others only read", "block": "nobody else is let in"}[outputs["mode"]]
        return _joined(what, f"{counted(ended, 'session')} ended" if ended else "")
    opening = outputs.get("opening")
    return f"open until {opening['closes_local']} ({opening['timezone']})" if opening else "always open"


def _backup(outputs: Outputs) -> str:
    if "tables" not in outputs:
        return {"salvage": "what the rollback keeps is the backup", "restore_point": "a restore point"}.get(
            outputs.get("kind", ""), ""
        )
    encryption = outputs.get("encryption", "none")
    if outputs.get("label"):
        what = f"{outputs['type']} backup {outputs['label']} of pgbackrest"
        return _joined(_tables(outputs), what, f"{megabytes(outputs['bytes'])} in the repository")
    return _joined(
        _tables(outputs),
        f"{megabytes(outputs['bytes'])} on disk",
        "" if encryption == "none" else f"encrypted with {encryption}",
    )


def _verify_restore(outputs: Outputs) -> str:
    if not outputs.get("tables"):
        return "restored"
    missing = outputs.get("not_in_backup") or []
    return _joined(
        f"restored; schema and {_tables(outputs)} equal production's",
        f"without rows of {listed([one['table'] for one in missing], 3, ', ')}, which no dump has"
        if missing
        else "",
    )


def _rehearse(outputs: Outputs) -> str:
    proofs = outputs.get("migrations", [])
    restored = all(proof.get("schema_restored") for proof in proofs)
    compared = all(proof.get("data_restored") for proof in proofs)
    back = "schema and rows came back" if compared else "the schema came back"
    if not any(rows_seen(proof).rows for proof in proofs):
        back = "the schema came back, and no rows were compared"
    return (
        f"applied, rolled back, applied again: {back}" if restored else "applied, rolled back, applied again"
    )


def _approval(outputs: Outputs) -> str:
    facts = outputs.get("approval") or {}
    return f"approved by {listed([one['operator'] for one in facts['given']])}" if facts.get("given") else ""


def _apply(outputs: Outputs) -> str:
    done = [one["version"] for one in outputs.get("migrations", [])] or [outputs.get("version", "")]
    return f"committed: {', '.join(filter(None, done))}" if any(done) else "nothing was pending"


def _verify(outputs: Outputs) -> str:
    scripts = len(outputs.get("verify_scripts", []))
    return _joined("the schema is the rehearsed one", counted(scripts, "verify script") if scripts else "")


def _smoke_test(outputs: Outputs) -> str:
    scripts = len(outputs.get("smoke_scripts", []))
    asked = len(outputs.get("health") or [])
    answers = f"{counted(asked, 'health URL')} {'answers' if asked == 1 else 'answer'}" if asked else ""
    return _joined(counted(scripts, "smoke script") if scripts else "there are no smoke scripts", answers)


def _emergency_rollback(outputs: Outputs) -> str:
    done = [one["version"] for one in outputs.get("migrations", [])] or [outputs.get("version", "")]
    return f"taken back: {', '.join(filter(None, done))}" if any(done) else "nothing was taken back"


def _files_rename(outputs: Outputs) -> str:
    return f"{counted(outputs['renamed'], 'file')} renamed" if "renamed" in outputs else ""


def _drill(outputs: Outputs) -> str:
    times = [f"{PHASES[one['phase']][0].lower()} {one['seconds']:.1f} s" for one in outputs.get("phases", [])]
    return ", ".join(times)


def _rehearse_from_empty(outputs: Outputs) -> str:
    versions = [proof["version"] for proof in outputs.get("migrations", [])]
    generated = outputs.get("generated_rows") or {}
    filled = f"{counted(generated['filled'], 'table')} with generated rows" if generated else ""
    return _joined(f"each alone, from an empty database: {listed(versions)}", filled) if versions else ""


def _tables(outputs: Outputs) -> str:
    return f"{counted(outputs['tables'], 'table')} with {counted(outputs.get('rows', 0), 'row')}"


def _joined(*parts: str) -> str:
    return "; ".join(filter(None, parts))


WORDS: dict[str, Callable[[Outputs], str]] = {
    "preflight": _preflight,
    "maintenance_window": _maintenance_window,
    "backup": _backup,
    "emergency_backup": _backup,
    "verify_restore": _verify_restore,
    "rehearse": _rehearse,
    "rehearse_from_empty": _rehearse_from_empty,
    "approval": _approval,
    "apply": _apply,
    "verify": _verify,
    "smoke_test": _smoke_test,
    "emergency_rollback": _emergency_rollback,
    "drill": _drill,
    "files_rename": _files_rename,
}
