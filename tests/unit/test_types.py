# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""mypy looks at every Python file of the project and leaves none of its rooms out."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
SETTINGS = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]
RELAXING = {"disallow_untyped_defs": False, "disallow_incomplete_defs": False, "check_untyped_defs": False}


def overrides() -> list[tuple[list[str], dict[str, Any]]]:
    """Patterns of modules, with the settings that are others for them."""
    found = []
    for override in SETTINGS["overrides"]:
        module = override["module"]
        found.append(([module] if isinstance(module, str) else module, override))
    return found


@pytest.mark.parametrize(
    "setting", ["disallow_untyped_defs", "disallow_incomplete_defs", "check_untyped_defs"]
)
def test_what_has_no_types_is_an_error(setting: str) -> None:
    assert SETTINGS[setting] is True


def test_nothing_of_the_project_but_the_tests_is_let_off() -> None:
    for patterns, override in overrides():
        relaxed = [name for name, value in RELAXING.items() if override.get(name) is value]
        if relaxed or "ignore_errors" in override or "disable_error_code" in override:
            assert patterns == ["tests.*"]
    assert not {"ignore_errors", "ignore_missing_imports", "disable_error_code", "exclude"} & set(SETTINGS)


def test_missing_imports_are_passed_over_outside_of_the_project_only() -> None:
    for patterns, override in overrides():
        if "ignore_missing_imports" in override or "follow_imports" in override:
            assert all(one.partition(".")[0] in ("ansible", "ansible_builder", "pglast") for one in patterns)


def test_every_folder_with_python_is_looked_at() -> None:
    looked_at = [PROJECT / folder for folder in SETTINGS["files"]]
    assert all(folder.is_dir() for folder in looked_at)
    collection = PROJECT / "collections" / "ansible_collections" / "pgops" / "runbook"
    assert collection / "plugins" in looked_at
    assert not list(collection.glob("*.py"))
    for folder in ("benchmarks", "demo", "docs", "tests", ".ci"):
        assert PROJECT / folder in looked_at


def test_every_exception_says_why() -> None:
    for folder in SETTINGS["files"]:
        for path in (PROJECT / folder).rglob("*.py"):
            for line in path.read_text(encoding="utf-8").splitlines():
                _, mark, rest = line.partition("# type: " + "ignore")
                assert not mark or (rest.startswith("[") and "  # " in rest), f"{path}: {line.strip()}"
