# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Build the collection pgops.runbook for others: ``python .ci/collection.py [FOLDER]``, by default ``dist``.

Roles and entry playbooks live at the top of the checkout, where a collection has none; a link to them does not build.
So everything is brought together in a folder of its own and built there.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
COLLECTION = PROJECT / "collections" / "ansible_collections" / "pgops" / "runbook"
ENTRY_PLAYBOOKS = ("deploy.yml", "emergency_rollback.yml")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".ansible")


def entry_playbooks(project: Path) -> list[Path]:
    """The playbooks that people start: two at the top, and those of ``playbooks/``."""
    return [*(project / name for name in ENTRY_PLAYBOOKS), *sorted((project / "playbooks").glob("*.yml"))]


def commands_of_collection(text: str, playbooks: set[str]) -> str:
    """Name playbooks as users of the collection start them: ``deploy.yml`` becomes ``pgops.runbook.deploy``.

    A sentence of the runbook tells what to type next, and what it tells must work where it is read. A name that an
    f-string fills in later, as in ``ansible-playbook {name}.yml``, counts as well.

    Args:
        text: source of a plugin or a playbook.
        playbooks: their names without ``.yml``.
    """
    names = "|".join(sorted(playbooks))
    filled_in_later = r"(?<!\{)\{[^{}\n]+\}"
    return re.sub(
        rf"(?<![\w/.-])(?:playbooks/)?({names}|{filled_in_later})\.yml\b", r"pgops.runbook.\1", text
    )


def stage(project: Path, folder: Path) -> None:
    """Bring the whole collection together in a folder that does not exist yet."""
    shutil.copytree(COLLECTION, folder, ignore=LEFT_OUT)
    shutil.copytree(project / "roles", folder / "roles", ignore=LEFT_OUT)
    (folder / "playbooks").mkdir()
    for playbook in entry_playbooks(project):
        shutil.copy(playbook, folder / "playbooks")
    for name in ("LICENSE", "CHANGELOG.md"):
        if (project / name).exists():
            shutil.copy(project / name, folder)
    playbooks = {path.stem for path in (folder / "playbooks").iterdir()}
    for path in [*(folder / "playbooks").glob("*.yml"), *(folder / "plugins").rglob("*.py")]:
        path.write_text(commands_of_collection(path.read_text(encoding="utf-8"), playbooks), encoding="utf-8")


def build(project: Path, output: Path) -> None:
    """Build the tarball into ``output``; ansible-galaxy prints its path."""
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pgops-collection-") as scratch:
        folder = Path(scratch) / "runbook"
        stage(project, folder)
        galaxy = str(Path(sys.executable).with_name("ansible-galaxy"))
        subprocess.run(
            [galaxy, "collection", "build", "--force", "--output-path", str(output), str(folder)], check=True
        )


if __name__ == "__main__":
    build(PROJECT, Path(sys.argv[1] if len(sys.argv) > 1 else "dist").resolve())
