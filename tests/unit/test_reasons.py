# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Each refusal and failure has a reason code, and each code its entry on the page."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import RunbookError
from ansible_collections.pgops.runbook.plugins.module_utils.reasons import PARTS, REASONS

PLUGINS = Path(__file__).resolve().parents[2] / "collections/ansible_collections/pgops/runbook/plugins"


@functools.cache  # not when it is imported: whoever only collects tests has no use for it
def own_sources() -> dict[str, ast.Module]:
    """Path below plugins -> its tree."""
    return {
        str(path.relative_to(PLUGINS)): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(PLUGINS.rglob("*.py"))
    }


# An error's own code, a parameter that has it, an entry of the plan that a parser's error has become: handed on from
# where it was literal.
HANDED_ON = re.compile(
    r"\w+\.code|code|failure_code|\w+(\['reason_code'\]|\.get\('reason_code'\))|code_of_task\(.*\)|None"
)

# Functions that return a code, alone or before a sentence.
GIVE_A_CODE = ("code_of_task", "code_of_waiting", "explain_crash", "explain_error")


class Site(NamedTuple):
    """A place that gives a code."""

    place: str
    code: ast.expr | None

    def literal(self) -> str | None:
        value = self.code.value if isinstance(self.code, ast.Constant) else None
        return value if isinstance(value, str) else None

    def is_sound(self) -> bool:
        if self.code is None:
            return False
        return self.literal() in REASONS or HANDED_ON.fullmatch(ast.unparse(self.code)) is not None


def error_classes(sources: dict[str, ast.Module]) -> set[str]:
    """Names of RunbookError and of all classes below it."""
    bases = {
        node.name: {ast.unparse(base) for base in node.bases}
        for tree in sources.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    found = {"RunbookError"}
    while more := {name for name, of in bases.items() if of & found} - found:
        found |= more
    return found


def takers(tree: ast.Module) -> set[str]:
    """Functions whose first parameter, or the one behind self, is a code."""
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and [argument.arg for argument in node.args.args if argument.arg != "self"][:1] == ["code"]
        and node.name != "__init__"
    }


def leaves(value: ast.expr) -> Iterator[ast.expr]:
    """The values that an expression of ``if`` and ``or`` can have."""
    if isinstance(value, ast.IfExp):
        yield from (leaf for part in (value.body, value.orelse) for leaf in leaves(part))
    elif isinstance(value, ast.BoolOp):
        yield from (leaf for part in value.values for leaf in leaves(part))
    else:
        yield value


def sites(sources: dict[str, ast.Module]) -> Iterator[Site]:
    """Every place at which an error is made, or a result that says failed."""
    classes = error_classes(sources)
    public = {name for tree in sources.values() for name in takers(tree) if not name.startswith("_")}
    for name, tree in sources.items():
        called = classes | public | takers(tree)
        for node in ast.walk(tree):
            place = f"{name}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Call):
                of = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
                if of in called:
                    yield Site(place, node.args[0] if node.args else None)
                keywords = {word.arg: word.value for word in node.keywords}
                if of == "fail_json" and None not in keywords:
                    yield Site(place, keywords.get("reason_code"))
                if of == "setdefault" and ast.unparse(node.args[0]) == "'reason_code'":
                    yield Site(place, node.args[1])
            elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Name) and node.exc.id in classes:
                yield Site(place, None)
            elif isinstance(node, ast.Dict):
                keys = {
                    key.value: value
                    for key, value in zip(node.keys, node.values, strict=True)
                    if isinstance(key, ast.Constant)
                }
                says_failed = "failed" in keys and ast.unparse(keys["failed"]) == "True"
                if says_failed:
                    yield Site(place, keys.get("reason_code"))
                elif "reason_code" in keys:
                    yield Site(place, keys["reason_code"])
            elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in (
                "code",
                "(code, outcome, details)",
            ):
                value = node.value.elts[0] if isinstance(node.value, ast.Tuple) else node.value
                yield from (Site(place, leaf) for leaf in leaves(value))
            elif isinstance(node, ast.FunctionDef) and node.name in GIVE_A_CODE:
                returns = [inner.value for inner in ast.walk(node) if isinstance(inner, ast.Return)]
                values = [
                    value.elts[0] if isinstance(value, ast.Tuple) else value for value in returns if value
                ]
                yield from (Site(place, leaf) for value in values for leaf in leaves(value))


@functools.cache
def own_sites() -> list[Site]:
    return list(sites(own_sources()))


def test_each_refusal_and_failure_has_a_code_with_an_entry() -> None:
    assert len(own_sites()) > 200
    unsound = [site.place for site in own_sites() if not site.is_sound()]
    assert not unsound


def test_each_entry_is_used() -> None:
    assert not set(REASONS) - {site.literal() for site in own_sites()}


@pytest.mark.parametrize(
    "source",
    [
        "raise Refused('a sentence without a code')",
        "raise Refused('no_such_code', 'a sentence')",
        "raise Refused(f'{made_up}', 'a sentence')",
        "raise Refused",
        "class Worse(StepFailed): pass\nraise Worse('a sentence')",
        "def end(code, what): raise Refused(code, what)\nend('no_such_code', 'a sentence')",
        "module.fail_json(msg='a sentence')",
        "result = {'failed': True, 'msg': 'a sentence'}",
    ],
)
def test_a_site_without_a_code_is_seen(source: str) -> None:
    # All of it would be read once for each.
    errors = {name: tree for name, tree in own_sources().items() if name.endswith("errors.py")}
    planted = {**errors, "planted.py": ast.parse(source)}
    assert [site.place for site in sites(planted) if not site.is_sound()]


def test_codes_are_short_names() -> None:
    assert sum(map(len, PARTS.values())) == len(REASONS), "a code stands in two parts"
    assert not [code for code in REASONS if not re.fullmatch(r"[a-z][a-z0-9_]{4,44}", code)]
    for part in PARTS.values():
        assert list(part) == sorted(part)


@pytest.mark.parametrize("code", REASONS)
def test_an_entry_is_a_sentence_each_and_fits_a_table(code: str) -> None:
    for text in REASONS[code]:
        assert re.fullmatch(r"[a-zA-Z/-][^|\n]+\.", text), text


def test_an_error_cannot_be_made_without_a_code() -> None:
    with pytest.raises(TypeError):
        RunbookError("a sentence")  # type: ignore[call-arg]  # what is tried
    error = RunbookError("lock_not_available", "No lock.", blocked_by=[])
    assert (error.code, error.reason, error.details) == ("lock_not_available", "No lock.", {"blocked_by": []})
