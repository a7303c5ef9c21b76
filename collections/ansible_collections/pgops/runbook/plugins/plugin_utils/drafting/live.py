# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the database was before a migration: asked for by name, and answered in rounds.

Drafting is a function of the script and of answers. Where one is missing it is noted as a question, and the statement
that needs it is passed over; when the questions of a round are answered, drafting begins again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["Live", "Unanswered"]


class Unanswered(Exception):
    """What a statement needs to know has yet to be asked."""


class Live:
    """The answers so far, and the questions of the next round."""

    def __init__(self) -> None:
        self._answers: dict[str, Any] = {}
        self.questions: list[dict[str, Any]] = []

    def ask(
        self, kind: str, names: Sequence[str], args: Sequence[str] = (), **options: Any
    ) -> Mapping[str, Any] | None:
        """What the database says of an object; None where there is no such.

        Args:
            kind, names, args: see module_utils/definitions/objects.py, find.
            options: see module_utils/definitions/answers.py, answers_to.

        Raises:
            Unanswered: it has not been asked yet.
        """
        question = {"type": kind, "names": list(names), "args": list(args), **options}
        key = json.dumps(question, sort_keys=True)
        if key in self._answers:
            answer: Mapping[str, Any] | None = self._answers[key]
            return answer
        if question not in self.questions:
            self.questions.append(question)
        raise Unanswered

    def has_told_of_objects(self) -> bool:
        """Whether any answer is about an object that the database has."""
        return any(answer is not None and "identity" in answer for answer in self._answers.values())

    def answered(self, answers: Sequence[Any]) -> None:
        """Take the answers to the questions, in their order."""
        for question, answer in zip(self.questions, answers, strict=True):
            self._answers[json.dumps(question, sort_keys=True)] = answer
        self.questions = []
