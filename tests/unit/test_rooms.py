# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The floors of the house: imports go downwards only, and each file is imported by a test."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from docs.floors import CONTROLLER_FLOORS, DOORS, FLOORS, floor_of

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
    """Of the modules that ``importer`` imports those that are neither in its room nor on a floor below.

    What runs on the controller stands on all that runs on the target.
    """
    house, room = room_of(importer)
    floors = FLOORS if house == "module_utils" else CONTROLLER_FLOORS
    found = []
    for name in imported:
        if name not in MODULES:
            continue
        kind, other = room_of(name)
        below = kind == "module_utils" if kind != house else floor_of(other, floors) < floor_of(room, floors)
        if not below and (kind, other) != (house, room):
            found.append(name)
    return found


@pytest.mark.parametrize("path", [*files_of("module_utils"), *files_of("plugin_utils")], ids=dotted)
def test_imports_go_downwards_only(path: Path) -> None:
    assert not imports_upwards(dotted(path), imports_of(path))


def test_an_import_upwards_is_seen() -> None:
    imported = imports_of(PLUGINS / "module_utils/steps/apply.py")
    assert imports_upwards("module_utils.ledger.ledger", imported) == [
        "module_utils.backup.still_there",
        "module_utils.execution.script",
        "module_utils.library.follow",
        "module_utils.preflight.hours",
        "module_utils.preflight.replication",
        "module_utils.production.apply",
        "module_utils.production.replicas",
        "module_utils.salvage.returning.returner",
        "module_utils.step.options",
        "module_utils.step.step",
    ]


def test_so_is_one_on_the_controller_and_one_from_the_target() -> None:
    imported = list(imports_of(PLUGINS / "plugin_utils/run/ending.py"))
    assert imports_upwards("plugin_utils.record.record", imported) == [
        "plugin_utils.report.metrics",
        "plugin_utils.report.page",
        "plugin_utils.report.run",
        "plugin_utils.run.crash",
        "plugin_utils.run.handing_on",
    ]
    assert "plugin_utils.report.run" in imports_upwards("module_utils.steps.announce", imported)
    assert not imports_upwards("plugin_utils.run.going_on", imported)


def step_file(name: str) -> str:
    """Dotted name of the file of a step."""
    return f"module_utils.steps.{name}"


def imports_past_a_door(importer: str, imported: Iterable[str]) -> list[str]:
    """Of the modules that ``importer`` imports those in a room with a door that are not the door."""
    kind, room = room_of(importer)
    found = []
    for name in imported:
        _, other = room_of(name)
        if name not in MODULES or not name.startswith("module_utils.") or other not in DOORS:
            continue
        door, steps = DOORS[other]
        inside = (kind, room) == ("module_utils", other) or importer in map(step_file, steps)
        if not inside and name != f"module_utils.{other}.{door}":
            found.append(name)
    return found


@pytest.mark.parametrize(
    "path", [path for path in files_of(".") if "__pycache__" not in path.parts], ids=dotted
)
def test_a_room_with_a_door_is_entered_by_it(path: Path) -> None:
    assert not imports_past_a_door(dotted(path), imports_of(path))


def test_an_import_past_a_door_is_seen() -> None:
    step, steps = step_file("files_rename"), "module_utils.library.steps"
    imported = list(imports_of(PLUGINS / "module_utils/steps/files_rename.py"))
    assert steps in imports_past_a_door("module_utils.production.apply", imported)
    assert steps in imports_past_a_door(step_file("apply"), imported)
    assert steps in imports_past_a_door("modules.files_rename", imported)
    assert steps in imports_past_a_door("action.step", imported)
    assert not imports_past_a_door(step, imported)
    assert not imports_past_a_door(step_file("apply"), ["module_utils.library.follow"])


def test_every_door_is_there_and_used() -> None:
    for room, (door, steps) in DOORS.items():
        name = f"module_utils.{room}.{door}"
        assert name in MODULES
        assert [path for path in files_of("module_utils") if name in imports_of(path)]
        for step in steps:
            imported = imports_of(PLUGINS / f"module_utils/steps/{step}.py")
            assert [found for found in imported if found in MODULES and room_of(found)[1] == room]


@pytest.mark.parametrize("path", files_of("modules"), ids=dotted)
def test_a_module_imports_nothing_of_the_controller(path: Path) -> None:
    assert not [name for name in imports_of(path) if name.startswith("plugin_utils")]


def test_every_room_of_the_table_exists_and_every_room_is_in_the_table() -> None:
    rooms = {room_of(dotted(path))[1] for path in files_of("module_utils")}
    assert rooms == {room for floor in FLOORS for room in floor}
    rooms = {room_of(dotted(path))[1] for path in files_of("plugin_utils")}
    assert rooms == {room for floor in CONTROLLER_FLOORS for room in floor}


def test_every_file_is_imported_by_a_test() -> None:
    imported: set[str] = set()
    for path in sorted((PROJECT / "tests").rglob("*.py")):
        imported.update(name for name in imports_of(path) if name in MODULES)
    assert sorted(MODULES - imported) == []
