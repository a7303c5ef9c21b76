# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A controller without pglast: it loads every action plugin, and each task says what to install."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.grammar import Grammar

PROJECT = Path(__file__).resolve().parents[3]
PLUGINS = PROJECT / "collections/ansible_collections/pgops/runbook/plugins"

LOAD = """
import sys
from importlib import import_module
sys.modules["pglast"] = None  # as if it were not installed
name = "ansible_collections.pgops.runbook.plugins."
for plugin in sys.argv[1:]:
    import_module(name + "action." + plugin)
print(import_module(name + "plugin_utils.sql.grammar").GRAMMAR.is_missing)
"""


def test_every_action_plugin_is_loaded() -> None:
    plugins = sorted(path.stem for path in (PLUGINS / "action").glob("[a-z]*.py"))
    assert "step" in plugins
    run = subprocess.run(
        [sys.executable, "-c", LOAD, *plugins],
        env={"PYTHONPATH": str(PROJECT / "collections")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.stdout.strip(), run.stderr) == ("True", "")


def test_another_package_that_is_missing_is_not_taken_for_it() -> None:
    grammar = Grammar()
    with pytest.raises(ModuleNotFoundError, match="nobody_has_this"), grammar:
        import nobody_has_this  # type: ignore[import-not-found]  # noqa: F401
    with grammar:
        from pglast import parse_sql
    assert parse_sql("SELECT 1")
    assert not grammar.is_missing


def test_once_it_was_missed_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    grammar = Grammar()
    monkeypatch.setitem(sys.modules, "pglast.gone", None)
    with grammar:
        import pglast.gone  # type: ignore[import-not-found]  # noqa: F401
    with grammar:
        pass
    assert grammar.is_missing
    told = grammar.how_to_install("Nothing was checked.")
    assert told.startswith(
        "The Python package pglast, which parses SQL, is missing on the controller. Nothing"
    )
    assert told.endswith(
        f" Nothing was checked. Install it: {sys.executable} -m pip install --force-reinstall pglast"
    )


def test_one_that_is_there_and_cannot_be_loaded_is_not_called_missing(tmp_path: Path) -> None:
    package = tmp_path / "pglast"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('libc.so.6: version GLIBC_2.38 not found')\n")
    run = subprocess.run(
        [sys.executable, "-c", LOAD.replace('sys.modules["pglast"] = None', "pass"), "step"],
        env={"PYTHONPATH": f"{tmp_path}:{PROJECT / 'collections'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.stdout.strip(), run.stderr) == ("True", "")
    grammar = Grammar()
    with grammar:
        exec(compile("raise ImportError('no libc')", "pglast", "exec"), {"__name__": "pglast.parser"})
    said = grammar.how_to_install("Nothing was done.")
    assert "pglast, which parses SQL, cannot be loaded on the controller (no libc). Nothing was done." in said
