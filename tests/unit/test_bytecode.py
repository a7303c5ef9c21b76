# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A command finds the collection's code compiled, and sees each change of it all the same."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.bytecode import OwnCodeFinder

PROJECT = Path(__file__).resolve().parents[2]
PLUGINS = "ansible_collections.pgops.runbook.plugins"

# As a command: ansible-core has set up its loader, and an action plugin is the first that is imported.
LOAD = f"""
import builtins, json, sys
from ansible.plugins.loader import action_loader, init_plugin_loader

init_plugin_loader()
compiled, compile_ = [], builtins.compile
def counting(source, filename="", *arguments, **options):
    compiled.append(str(filename))
    return compile_(source, filename, *arguments, **options)
builtins.compile = counting
action_loader.get("pgops.runbook.preflight", class_only=True)
own = [name for name in sys.modules if name.startswith(("{PLUGINS}.module_utils.", "{PLUGINS}.plugin_utils."))]
# The file itself, and the folders on the way to it.
others = [name for name in compiled if "_utils/" in name and not name.endswith(("bytecode.py", "__init__.py"))]
mark = getattr(sys.modules["{PLUGINS}.module_utils.errors"], "MARK", "")
print(json.dumps({{"own": len(own), "compiled": others, "mark": mark}}))
"""


@pytest.fixture
def collections(tmp_path: Path) -> Path:
    """The collection as it was just installed."""
    kept_out = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PROJECT / "collections", tmp_path / "collections", symlinks=True, ignore=kept_out)
    return tmp_path / "collections"


def load(collections: Path) -> dict:
    run = subprocess.run(
        [sys.executable, "-c", LOAD],
        env={"ANSIBLE_COLLECTIONS_PATH": str(collections), "HOME": str(collections.parent)},
        cwd=collections.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_nothing_of_it_is_compiled_twice_unless_it_has_changed(collections: Path) -> None:
    first = load(collections)
    assert first["own"] > 100
    assert len(first["compiled"]) >= first["own"] / 2
    assert load(collections)["compiled"] == []
    changed = collections / "ansible_collections/pgops/runbook/plugins/module_utils/errors.py"
    changed.write_text(f"{changed.read_text(encoding='utf-8')}\nMARK = 'changed'\n", encoding="utf-8")
    again = load(collections)
    assert (again["mark"], len(again["compiled"])) == ("changed", 1)


def test_what_is_not_its_own_others_find() -> None:
    assert OwnCodeFinder.find_spec("json.decoder", json.__path__) is None
    assert OwnCodeFinder.find_spec(f"{PLUGINS}.module_utils.nothing", [str(PROJECT)]) is None
