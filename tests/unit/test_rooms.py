# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The floors of the house: imports go downwards only, and each file is imported by a test."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from docs.floors import CONTROLLER_ROOMS, FLOORS, floor_of
from tests.unit.untested import UNTESTED

PROJECT = Path(__file__).resolve().parents[2]
PLUGINS = PROJECT / "collections/ansible_collections/pgops/runbook/plugins"
PACKAGE = "ansible_collections.pgops.runbook.plugins"


def files_of(kind: str) -> list[Path]:
    return [path for path in sorted((PLUGINS / kind).rglob("*.py")) if path.name != "__init__.py"]


def dotted(path: Path) -> str:
    """``module_utils.room.file`` of a path below plugins."""
    return ".".join(path.relative_to(PLUGINS).with_suffix("").parts)


def imports_of(path: Path) -> Iterator[str]:
    """Dotted names below plugins that a file imports: modules, and names that may be modules."""
    inside = path.is_relative_to(PLUGINS)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        module = node.module or ""
        if node.level and inside:
            parents = path.relative_to(PLUGINS).parts[: -node.level]
            module = ".".join([*parents, *filter(None, [module])])
        elif module == PACKAGE or module.startswith(f"{PACKAGE}."):
            module = module[len(PACKAGE) + 1 :]
        else:
            continue
        yield module
        for name in node.names:
            yield f"{module}.{name.name}"


def room_of(name: str) -> tuple[str, str]:
    """("module_utils", "salvage") of ``module_utils.salvage.store``."""
    kind, _, rest = name.partition(".")
    return kind, rest.partition(".")[0]


MODULES = {dotted(path) for kind in ("module_utils", "plugin_utils") for path in files_of(kind)}


def imports_upwards(importer: str, imported: Iterable[str]) -> list[str]:
    """Of the modules that ``importer`` imports those that are neither in its room nor on a floor below."""
    _, room = room_of(importer)
    found = []
    for name in imported:
        kind, other = room_of(name)
        allowed = kind == "module_utils" and (other == room or floor_of(other) < floor_of(room))
        if name in MODULES and not allowed:
            found.append(name)
    return found


@pytest.mark.parametrize("path", files_of("module_utils"), ids=dotted)
def test_imports_go_downwards_only(path: Path) -> None:
    assert not imports_upwards(dotted(path), imports_of(path))


def test_an_import_upwards_is_seen() -> None:
    imported = imports_of(PLUGINS / "modules/apply.py")
    assert imports_upwards("module_utils.ledger.ledger", imported) == [
        "module_utils.execution.script",
        "module_utils.production.apply",
        "module_utils.salvage.returning.returner",
        "module_utils.step",
    ]


@pytest.mark.parametrize("path", files_of("modules"), ids=dotted)
def test_a_module_imports_nothing_of_the_controller(path: Path) -> None:
    assert not [name for name in imports_of(path) if name.startswith("plugin_utils")]


def test_every_room_of_the_table_exists_and_every_room_is_in_the_table() -> None:
    rooms = {room_of(dotted(path))[1] for path in files_of("module_utils")}
    assert rooms == {room for floor in FLOORS for room in floor}
    assert {room_of(dotted(path))[1] for path in files_of("plugin_utils")} == set(CONTROLLER_ROOMS)


def test_every_file_is_imported_by_a_test() -> None:
    imported: set[str] = set()
    for path in sorted((PROJECT / "tests").rglob("*.py")):
        imported.update(name for name in imports_of(path) if name in MODULES)
    assert sorted(MODULES - imported) == sorted(UNTESTED)
