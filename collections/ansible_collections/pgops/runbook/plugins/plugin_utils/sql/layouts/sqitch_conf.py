# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where a project of Sqitch has its plan and its scripts: what sqitch.conf says of it (manual page sqitch-config)."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ..folder import SqlLibraryError

__all__ = ["top_dir"]

_SECTION = re.compile(r"\[\s*core\s*\]", re.I)
_SETTING = re.compile(r'top_dir\s*=\s*(?P<quote>"?)(?P<value>[^"#;]*?)(?P=quote)\s*(?:[#;].*)?', re.I)


def top_dir(root: Path) -> str:
    """Folder of the plan and the scripts, relative to ``root``: ``core.top_dir`` of sqitch.conf; empty for ``root``.

    Raises:
        SqlLibraryError: it is not in ``root``.
    """
    try:
        text = (root / "sqitch.conf").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    value, section = "", ""
    for line in map(str.strip, text.splitlines()):
        section = line if line.startswith("[") else section
        setting = _SETTING.fullmatch(line)
        if setting and _SECTION.fullmatch(section):
            value = setting["value"]
    folder = os.path.normpath(value or ".")
    if Path(folder).is_absolute() or folder.split("/")[0] == "..":
        raise SqlLibraryError(
            "sql_dir_unusable",
            f"{root}/sqitch.conf has its plan in {value}, which is not below {root}; set sql_dir to a folder that holds"
            " both",
        )
    return "" if folder == "." else folder
