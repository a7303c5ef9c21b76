#!/usr/bin/env python3
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Write the pages that are made from tables in the code: `make documents`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[:0] = [str(PROJECT), str(PROJECT / "collections")]

from ansible_collections.pgops.runbook.plugins.module_utils.reasons import (  # noqa: E402 - the path has to be set first
    PARTS,
)

from docs.awx import awx_page, export  # noqa: E402
from docs.floors import MAP, with_picture  # noqa: E402

__all__ = ["PAGES", "reasons_page", "the_map"]

ABOUT_REASONS = """\
# Reason codes

A run that did not do what was asked says why in a sentence, `reason`, and beside it in a short name for programs,
`reason_code`: in `run.json`, in the receipt of the failed step, in the module's result and in the printed report.
Sentences are reworded; codes stay, so alerts match codes. `reason_code` is null where a run did what was asked. The
run's own is that of the step that failed first; each failed step in `steps` has one. `outcome` says what state
production is in.

This page is made from `module_utils/reasons.py` by `make documents`.
"""


def reasons_page() -> str:
    """Every reason code with what it means and what to do, in Markdown."""
    lines = [ABOUT_REASONS]
    for heading, part in PARTS.items():
        lines += [f"## {heading}", "", "| reason_code | what it means | what to do |", "| --- | --- | --- |"]
        lines += [f"| `{code}` | {reason.meaning} | {reason.to_do} |" for code, reason in part.items()]
        lines.append("")
    return "\n".join(lines)


def the_map() -> str:
    """docs/architecture.md with the floors as they are now."""
    return with_picture(MAP.read_text(encoding="utf-8"))


#: Path below the project -> what makes its text.
PAGES: dict[str, Callable[[], str]] = {
    "docs/architecture.md": the_map,
    "docs/awx/README.md": awx_page,
    "docs/awx/job_templates.json": export,
    "docs/reasons.md": reasons_page,
}


if __name__ == "__main__":
    for name, made in PAGES.items():
        (PROJECT / name).write_text(made(), encoding="utf-8")
        print(name)
