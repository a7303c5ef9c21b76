# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's half of preflight, the same as that of every step.

Of an action plugin with the name of the task ansible-playbook itself loads the class; one that meta/runtime.yml names
is imported by the worker of each task anew. After preflight, with which every run begins, all workers find it loaded.
"""

from __future__ import annotations

# Before all that is imported after it.
from ..plugin_utils import bytecode  # noqa: F401
from .step import ActionModule

__all__ = ["ActionModule"]
