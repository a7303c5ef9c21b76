# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The scripts of .ci as modules; the folder's name cannot be imported."""

from __future__ import annotations

import importlib.util
from types import ModuleType

from tests.integration.collection.strangers_project import PROJECT


def ci_script(name: str) -> ModuleType:
    """The script ``.ci/<name>.py``, without running it."""
    specification = importlib.util.spec_from_file_location(f"ci_{name}", PROJECT / ".ci" / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
