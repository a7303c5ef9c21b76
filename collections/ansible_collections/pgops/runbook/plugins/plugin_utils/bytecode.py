# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The collection's own code is compiled once, and not by each command.

ansible-core's loader of collections compiles every file that it imports and keeps nothing (2.19,
utils/collection_loader/_collection_finder.py, get_code). Of the code of all steps that was a third of a second before
anything happened. Once this file is imported, the controller imports the rest as Python imports any other code: from
the bytecode beside it, where there is some and it is of this source.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader

__all__ = ["OwnCodeFinder"]

PLUGINS = __name__.removesuffix(".plugin_utils.bytecode")
OWN = (f"{PLUGINS}.module_utils.", f"{PLUGINS}.plugin_utils.")


class OwnCodeFinder:
    """Finds what is below plugins/module_utils and plugins/plugin_utils; whatever it does not know others find."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        """Find a module (Python's reference, "Finders and loaders").

        Args:
            path: the folders of the package that it is in.
        """
        if not name.startswith(OWN):
            return None
        found = (_finder(folder).find_spec(name) for folder in path or ())
        return next((spec for spec in found if spec is not None and spec.loader is not None), None)


@functools.cache
def _finder(folder: str) -> FileFinder:
    return FileFinder(folder, (SourceFileLoader, SOURCE_SUFFIXES))


sys.meta_path.insert(0, OwnCodeFinder)
