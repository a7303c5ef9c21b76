# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which commit of their repository the scripts were of, as far as git can tell."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

__all__ = ["commit_of"]

SECONDS = 10

# A hook that the repository's own settings name would run as the operator (git-config, core.fsmonitor).
GIT = ("git", "-c", "core.fsmonitor=false")


def commit_of(folder: str) -> dict[str, Any] | None:
    """The commit that a folder's repository has checked out.

    Args:
        folder: sql_dir.

    Returns:
        dict: commit (hex), and changed, whether files below the folder differ from it or are not in it. None where the
            folder is in no repository, git is missing or does not trust it: receipts name every script by its digest
            all the same.
    """
    path = Path(folder).expanduser()
    commit = _git(path, "rev-parse", "--verify", "--quiet", "HEAD")
    if commit is None:
        return None
    changes = _git(path, "status", "--porcelain", "--untracked-files=normal", "--", ".")
    return {"commit": commit, "changed": None if changes is None else bool(changes)}


def _git(folder: Path, *arguments: str) -> str | None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        run = subprocess.run(
            [*GIT, "-C", str(folder), *arguments],
            env={**environment, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return run.stdout.decode(errors="replace").strip() if run.returncode == 0 else None
