# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What squawk, the linter of migrations, says of the scripts; run on the controller."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from ...module_utils.errors import Refused
from .folder import Script

__all__ = ["NOT_ASKED", "find_squawk", "lint"]

# Rules that do not fit here, unless somebody makes them a gate: the runbook sets both limits itself, one transaction is
# its own doing, and matters of taste in types are for the author of the schema.
NOT_ASKED = (
    "require-lock-timeout",
    "require-statement-timeout",
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-identity",
    "prefer-robust-stmts",
    "prefer-text-field",
    "prefer-timestamp-tz",
)

SECONDS_ALLOWED = 60

UNKNOWN_RULE = re.compile(r"invalid rule name (.*)")


def find_squawk() -> str | None:
    """Path of squawk: beside the Python that runs Ansible, or on PATH; None where it is not installed."""
    beside = Path(sys.executable).parent / "squawk"
    return str(beside) if beside.exists() else shutil.which("squawk")


def lint(
    scripts: Iterable[Script], gating_rules: Collection[str] = ()
) -> dict[str, list[dict[str, Any]]] | None:
    """Findings of each script.

    Args:
        gating_rules: rules that are asked even where squawk leaves them out, or the runbook does.

    Returns:
        dict: name of the script -> list of {"rule", "line", "message"}, sorted by line; None where squawk is
        not installed or gives no answer that can be read.

    Raises:
        Refused: squawk has no such rule, which would never refuse anything.
    """
    scripts = list(scripts)
    squawk = find_squawk()
    if squawk is None or not scripts:
        return None if squawk is None else {}
    with tempfile.TemporaryDirectory(prefix="pgops-runbook-lint-") as folder:
        return _findings(
            squawk,
            {_path(script, Path(folder), n): script.name for n, script in enumerate(scripts)},
            gating_rules,
        )


def _path(script: Script, folder: Path, number: int) -> str:
    """Path of a file with nothing but the script: its own, or of a part of a file a new one in ``folder``."""
    if not script.part:
        return script.path
    copy = folder / f"{number}.sql"
    copy.write_text(script.text, encoding="utf-8")
    return str(copy)


def _findings(
    squawk: str, by_path: dict[str, str], gating_rules: Collection[str]
) -> dict[str, list[dict[str, Any]]] | None:
    try:
        answer = subprocess.run(
            [squawk, "--reporter", "Json", *(f"--include={rule}" for rule in gating_rules), *by_path],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS_ALLOWED,
            check=False,
        )
        if unknown := UNKNOWN_RULE.search(answer.stderr):
            raise Refused(
                "setting_invalid",
                f"preflight_lint_gating_rules names '{unknown.group(1)}', and squawk has no rule of that name. It would"
                " never refuse anything. Nothing was done. The rules are listed at https://squawkhq.com/docs/rules",
            )
        reported = json.loads(answer.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    findings: dict[str, list[dict[str, Any]]] = {name: [] for name in by_path.values()}
    for finding in reported:
        if finding["rule_name"] in NOT_ASKED and finding["rule_name"] not in gating_rules:
            continue  # not by --exclude, which is an error for a rule that its version does not have
        # A finding of a file is given with the path it was asked by; lines are counted from 0.
        findings[by_path[finding["file"]]].append(
            {"rule": finding["rule_name"], "line": finding["line"] + 1, "message": finding["message"]}
        )
    return {name: sorted(found, key=lambda one: one["line"]) for name, found in findings.items()}
