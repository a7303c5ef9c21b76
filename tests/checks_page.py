# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What docs/checks.md shows: files, commands, and what they print; and the workflows beside it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

DOCS = Path(__file__).resolve().parents[1] / "docs"
TEXT = (DOCS / "checks.md").read_text(encoding="utf-8")


def files() -> dict[str, str]:
    """Path in the repository -> text."""
    blocks = re.findall(r"^`([^`\n]+)`:\n\n((?:    .*\n|\n(?=    ))+)", TEXT, re.M)
    return {path: re.sub(r"^    ", "", block, flags=re.M) for path, block in blocks}


def commands() -> list[list[str]]:
    """The words of each ansible-playbook that stands by itself."""
    return [line.split() for line in re.findall(r"^    (ansible-playbook .*)$", TEXT, re.M)]


def outputs() -> list[list[str]]:
    """Lines of each block that a command prints, without what it has written."""
    blocks = re.findall(r"^((?:    sql \(plain\).*\n)(?:    .*\n)*)", TEXT, re.M)
    return [[line.strip() for line in block.splitlines()] for block in blocks]


def workflow(name: str) -> Any:
    """A file of docs/ci; YAML 1.1 reads GitHub's `on` as a word, since it is quoted."""
    return yaml.safe_load((DOCS / "ci" / name).read_text(encoding="utf-8"))
