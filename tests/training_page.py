# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What docs/training.md has to do and how it is done: statements and commands of each task, as they are typed."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PAGE", "Task", "tasks"]

PAGE = Path(__file__).resolve().parents[1] / "docs" / "training.md"


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        number: its place on the page.
        question: what there is to do.
        solution: how it is done.
    """

    number: int
    question: str
    solution: str

    @property
    def statements(self) -> list[str]:
        """What is typed into psql: a text of code that ends with a semicolon."""
        return re.findall(r"`([^`]+;)`", self.question)

    @property
    def commands(self) -> list[list[str]]:
        """Arguments of each ansible-playbook of the solution."""
        lines = re.findall(r"^ {4}ansible-playbook (.*)$", self.solution, re.MULTILINE)
        return [shlex.split(line, comments=True) for line in lines]


def tasks() -> dict[int, Task]:
    """All tasks by their numbers."""
    parts = re.split(r"^## (\d+)\. ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    found = {}
    for number, text in zip(parts[::2], parts[1::2], strict=True):
        question, solution = text.split("<details><summary>Solution</summary>")
        found[int(number)] = Task(int(number), question, solution)
    return found
