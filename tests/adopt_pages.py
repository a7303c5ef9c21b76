# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the pages in docs/adopt show: files, settings and commands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "adopt"
IMPORT = " playbooks/import.yml "
PAGES = sorted(path.stem for path in FOLDER.glob("*.md"))


@dataclass(frozen=True)
class Page:
    """One page.

    Attributes:
        files: path below sql_dir -> text.
        settings: what goes into the inventory.
        commands: those of the runbook, in order, after the import.
        imports: the command that writes the files, where there is one.
        migration: the version that they deploy.
    """

    files: dict[str, str]
    settings: dict[str, str]
    commands: list[str]
    migration: str
    imports: list[str]

    def write(self, folder: Path) -> Path:
        """Write the files below a folder."""
        for name, text in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        return folder


def page(name: str) -> Page:
    """Read a page."""
    text = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^`([^`\n]+)`:\n\n((?:    .*\n|\n(?=    ))+)", text, re.M)
    commands = re.findall(r"^    (ansible-playbook .*)$", text, re.M)
    settings = yaml.safe_load("".join(re.findall(r"^    (?:sql_dir|version_table): .*\n", text, re.M)))
    return Page(
        {path: re.sub(r"^    ", "", block, flags=re.M) for path, block in blocks},
        settings,
        [line for line in commands if IMPORT not in line],
        commands[-1].partition("migration=")[2],
        [line for line in commands if IMPORT in line],
    )
