# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""On a host without psycopg2 each file can be imported, so that the step can say which package is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PLUGINS = Path(__file__).resolve().parents[3] / "collections/ansible_collections/pgops/runbook/plugins"

# Imports every file in an interpreter in which psycopg2 is not to be found, and prints those that cannot be imported.
IMPORT_ALL = """
import importlib, sys, traceback

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "psycopg2":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
for name in sys.argv[1:]:
    try:
        importlib.import_module(f"ansible_collections.pgops.runbook.plugins.{name}")
    except Exception as error:
        print(name, repr(error))
        for loaded in [loaded for loaded in sys.modules if loaded.startswith("ansible_collections.pgops")]:
            del sys.modules[loaded]
"""


def test_each_file_can_be_imported_without_psycopg2() -> None:
    names = [
        ".".join(path.relative_to(PLUGINS).with_suffix("").parts)
        for kind in ("module_utils", "modules")
        for path in sorted((PLUGINS / kind).rglob("*.py"))
        if path.name != "__init__.py"
    ]
    assert len(names) > 100
    answer = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *names],
        env={**os.environ, "PYTHONPATH": str(PLUGINS.parents[3])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout == ""
