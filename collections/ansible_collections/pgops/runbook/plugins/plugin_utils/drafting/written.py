# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The text of a rollback script: of a draft, and of one that a person has yet to write."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .draft import Draft, Step
from .names import quoted

__all__ = ["About", "rollback_text", "said"]

RULE = "-- " + "=" * 76
LONGEST_LINE = 100


@dataclass(frozen=True)
class About:
    """The facts of a migration that its scripts state.

    Attributes:
        stem: as 012_add_tags.
        version: as 012.
        description: one line, may be empty.
        date: as 2026-11-27.
        author: who writes it.
        requires: versions; None where its header does not say.
    """

    stem: str
    version: str
    description: str
    date: str
    author: str
    requires: tuple[str, ...] | None


def said(step: Step) -> str:
    """A statement in one line."""
    text = " ".join(step.sql.split())
    return text if len(text) <= LONGEST_LINE else text[: LONGEST_LINE - 1] + "…"


def header(about: About, facts: Iterable[tuple[str, str]]) -> list[str]:
    """The comment at the top of a script, as preflight reads it."""
    lines = [RULE, f"-- Migration: {about.stem}.sql", f"-- Rollback: rollback/{about.stem}_rollback.sql"]
    for key, value in facts:
        lines += textwrap.wrap(
            f"{key}: {value}",
            78,
            initial_indent="-- ",
            subsequent_indent="--" + " " * (len(key) + 3),
            break_long_words=False,
            break_on_hyphens=False,
        )
    return [*lines, RULE]


def rollback_text(about: About, draft: Draft) -> str:
    """A draft as a script; with open points it says that it is unfinished, and preflight refuses it."""
    one_by_one = bool(draft.undos) and all(undo.only_indexes or not undo.statements for undo in draft.undos)
    one_by_one = one_by_one and any(undo.only_indexes and undo.statements for undo in draft.undos)
    points = draft.open_points()
    facts = [("Description", f"Takes back {about.stem}. Drafted from its statements.")]
    facts += [("Created", about.date), *([("Author", about.author)] if about.author else [])]
    if points:
        count = "1 point is" if len(points) == 1 else f"{len(points)} points are"
        facts.append(("Unfinished", f"{count} open below; take this line out when none is"))
    facts += [
        ("Risk Level", "MEDIUM" if draft.data_loss == "COMPLETE" or points else "LOW"),
        ("Data Loss", draft.data_loss),
    ]
    if about.requires is not None:
        facts.append(("Requires", ", ".join(about.requires) or "none"))
    facts.append(("Transaction", "none" if one_by_one else "one"))
    lines = header(about, facts)
    lines[-1:-1] = [f"-- Leaves: {one}" for one in draft.leaves()]
    body = list(_body(draft, one_by_one))
    if one_by_one:
        return "\n".join([*lines, "", *body]).rstrip() + "\n"
    return "\n".join([*lines, "", "BEGIN;", "", *body, "COMMIT;"]) + "\n"


def _body(draft: Draft, one_by_one: bool) -> Iterable[str]:
    paths = {step.path for step in draft.steps}
    path: tuple[str, ...] | None = None
    role: str | None = None
    for line, sentence in draft.open_points():
        if not line:
            yield from (*_comment(f"UNFINISHED: {sentence}"), "")
    for step in reversed(draft.steps):
        statements = [one for undo in reversed(step.undos) for one in undo.statements]
        sentences = [sentence for undo in step.undos for sentence in (*undo.cannot, *undo.loses)]
        notes = [sentence for undo in step.undos for sentence in undo.notes]
        if not (statements or sentences or notes):
            continue
        if len(paths) > 1 and step.path != path:
            yield from (_set_path(step.path), "")
            path = step.path
        if step.role != role:
            yield from (_set_role(step.role), "")
            role = step.role
        yield from _comment(f"Takes back line {step.line}: {said(step)}")
        for sentence in sentences:
            yield from _comment(f"UNFINISHED: {sentence}")
        for sentence in notes:
            yield from _comment(sentence)
        yield from (_concurrently(one) if one_by_one else one for one in statements)
        yield ""
    if role is not None:
        yield from (_set_role(None), "")
    if not any(undo.statements for undo in draft.undos):
        yield from (
            "-- Nothing of it is taken back; a script without a statement counts as missing.",
            "SELECT;",
            "",
        )


def _set_role(role: str | None) -> str:
    return f"SET LOCAL ROLE {quoted(role) if role is not None else 'NONE'};"


def _set_path(path: Sequence[str] | None) -> str:
    if path is None:
        return "SET LOCAL search_path = DEFAULT;"
    return f"SET LOCAL search_path = {', '.join(quoted(name) for name in path) or chr(39) * 2};"


def _concurrently(statement: str) -> str:
    return statement.replace("DROP INDEX ", "DROP INDEX CONCURRENTLY ", 1)


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, 100, initial_indent="-- ", subsequent_indent="-- ", break_long_words=False)
