# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a person on call reads: one word for one idea, the state of production, and commands as they are typed."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.reasons import REASONS

PROJECT = Path(__file__).resolve().parents[2]
PLUGINS = PROJECT / "collections/ansible_collections/pgops/runbook/plugins"
ERRORS = {"Refused", "StepFailed", "Unchanged", "ScriptFailed", "CommitUnknown", "ServerUnreachable"}
OF_SCRIPTS = {"SqlLibraryError", "SqlScriptError", "UnknownRequirement"}

#: Word -> the one that is used for the idea.
ANOTHER_WORD = {
    r"\bmend(ed|s)?\b": "correct (a script, a setting), remove (a cause)",
    r"\b(go|goes|gone|going) on (with|where|here|from)\b": "resume, finish",
    r"\bany more\b": "no longer",
    r"\bheld off\b|\bholds? .* off\b": "keep out",
    r"\bwait for its end\b": "wait until it has finished",
    r"\b(is|are) none of\b": "is not one of",
    r"\bnobody could tell\b": "nothing tells",
}


def _text(value: ast.expr) -> str:
    """What an expression of strings says, with {} for what it puts in."""
    if isinstance(value, ast.Constant):
        return str(value.value)
    if isinstance(value, ast.JoinedStr):
        return "".join(_text(part) if isinstance(part, ast.Constant) else "{}" for part in value.values)
    if isinstance(value, ast.BinOp):
        return _text(value.left) + _text(value.right)
    return "{}"


def _sentences(folder: Path) -> Iterator[tuple[str, str]]:
    """(place, sentence) of every error."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            # source.error(code, offset, sentence) makes the error of a place in a script.
            method = isinstance(node.func, ast.Attribute) and node.func.attr == "error"
            at = 2 if method and ast.unparse(node.func).endswith("source.error") else 1
            error = isinstance(node.func, ast.Name) and node.func.id in ERRORS | OF_SCRIPTS
            if (at == 2 or error) and len(node.args) > at:
                yield f"{path.relative_to(PLUGINS)}:{node.lineno}", _text(node.args[at])


def _reasons_to_wait(folder: Path) -> Iterator[tuple[str, str]]:
    """(place, text) of what is written beside rows that stay in the salvage: constants, and arguments of calls."""
    for path in sorted(folder.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = [node.value for node in tree.body if isinstance(node, ast.Assign)]
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        given = [
            call.args[1] for call in calls if len(call.args) > 1 and "hold_back" in ast.unparse(call.func)
        ]
        for value in [*constants, *given]:
            yield f"{path.relative_to(PLUGINS)}:{value.lineno}", _text(value)


def _lines_of_reports() -> Iterator[tuple[str, str]]:
    """(place, text) of every text of more than one word in what builds reports and the screen; no docstrings."""
    for path in sorted(
        [*(PLUGINS / "plugin_utils/report").rglob("*.py"), *(PLUGINS / "plugin_utils/screen").rglob("*.py")]
    ):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        inside = {
            id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr) or (
                isinstance(node, ast.Constant) and isinstance(node.value, str)
            ):
                text = _text(node)
                if id(node) not in told | inside and " " in text:
                    yield f"{path.relative_to(PLUGINS)}:{node.lineno}", text


def _names_of_tasks() -> Iterator[tuple[str, str]]:
    """(place, name) of every task and play."""
    for path in sorted(
        [*PROJECT.glob("*.yml"), *(PROJECT / "roles").rglob("*.yml"), *(PROJECT / "playbooks").rglob("*.yml")]
    ):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if match := re.match(r"\s*- name: (.*)", line):
                yield f"{path.relative_to(PROJECT)}:{number}", match[1]


@functools.cache  # not when it is imported: whoever only collects tests has no use for it
def all_sentences() -> list[tuple[str, str]]:
    """(place, sentence) of all that is said."""
    return [
        *_sentences(PLUGINS),
        *_reasons_to_wait(PLUGINS / "module_utils/salvage"),
        *_reasons_to_wait(PLUGINS / "module_utils/rows"),
        *_lines_of_reports(),
        *_names_of_tasks(),
        *((f"reasons.py: {code}", text) for code, reason in REASONS.items() for text in reason),
    ]


def test_the_search_finds_the_sentences() -> None:
    assert len(all_sentences()) > 300
    for one in (
        "Choose another backup_dir",
        "its parent in {} is gone",
        "the table no longer has column {}",
        "Kept out: the application, for {} s.",
        "Verify | Compare the schema and run the verify scripts",
    ):
        assert any(one in text for _, text in all_sentences()), one


@pytest.mark.parametrize("word", ANOTHER_WORD)
def test_one_word_is_used_for_one_idea(word: str) -> None:
    found = [f"{place}: {text}" for place, text in all_sentences() if re.search(word, text)]
    assert found == [], f"rather: {ANOTHER_WORD[word]}"


def test_a_playbook_is_named_by_the_command_that_runs_it() -> None:
    found = [
        text for _, text in all_sentences() if re.search(r"(?<!ansible-playbook )\bplaybooks/\w+\.yml", text)
    ]
    assert found == []


def test_a_refusal_of_the_salvage_says_that_nothing_was_changed() -> None:
    """Elsewhere the report adds a line on the state of production; here there is no report.

    What begins with a small letter stands behind "Item N was not put back, nothing was changed".
    """
    by_hand = list(_sentences(PLUGINS / "module_utils/by_hand"))
    assert by_hand, "there are some"
    silent = [
        f"{place}: {text}"
        for place, text in by_hand
        if not re.search(r"Nothing was \w+|still in the salvage", text) and not text[:1].islower()
    ]
    assert silent == []
