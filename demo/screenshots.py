#!/usr/bin/env python3
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Take the screenshots in docs/screenshots anew: pages of real runs on the demo's database, in headless Chromium.

Beside them stands a digest of the templates that they show, by which a test knows, without a browser or a database,
that they are old.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path.insert(0, str(PROJECT))

import psycopg2  # noqa: E402 - the path has to be set first

from demo.load_library import DATABASE, LoadError, load  # noqa: E402
from demo.local_server import LocalServer, LocalServerError  # noqa: E402
from demo.transcripts import FILES, Demo, TranscriptError  # noqa: E402

__all__ = ["FOLDER", "MADE_FROM", "PICTURES", "Picture", "digest_of_templates", "photograph"]

FOLDER = PROJECT / "docs" / "screenshots"
MADE_FROM = FOLDER / "made_from.txt"
TEMPLATES = PROJECT / "collections/ansible_collections/pgops/runbook/plugins/plugin_utils/report/templates"

SECONDS = 60
#: Whose runs they are.
WHO = "ann@controller"


@dataclass(frozen=True)
class Picture:
    """One screenshot.

    Attributes:
        name: of the file, without its ending.
        page: which page it shows.
        width: of the window, in pixels.
        height: likewise.
        dark: whether the reader likes it dark.
    """

    name: str
    page: str
    width: int
    height: int
    dark: bool = False


#: A window of Chromium is not narrower than 500 pixels.
PICTURES = (
    Picture("report", "report", 1000, 1100),
    Picture("report_narrow_and_dark", "report", 500, 900, dark=True),
    Picture("history", "history", 1000, 460),
)


class ScreenshotError(Exception):
    """There is no browser, or it took no picture; in a sentence."""


def digest_of_templates() -> str:
    """One digest of all that the pages are rendered from."""
    found = hashlib.sha256()
    for path in sorted(TEMPLATES.glob("*.j2")):
        found.update(f"{path.name} {path.stat().st_size}\n".encode())
        found.update(path.read_bytes())
    return found.hexdigest()


def photograph(page: Path, picture: Picture, target: Path) -> None:
    """Write what a page looks like as PNG.

    Args:
        page: a file of HTML.
        picture: how it is looked at.
        target: the file that is written.

    Raises:
        ScreenshotError: Chromium is not there, or has written nothing.
    """
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise ScreenshotError("there is no Chromium: apt-get install chromium")
    with tempfile.TemporaryDirectory(prefix="pgops-screenshot-") as profile:
        done = subprocess.run(
            [
                chromium,
                *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
                *("--hide-scrollbars", "--force-device-scale-factor=1", f"--user-data-dir={profile}"),
                *(["--blink-settings=preferredColorScheme=0"] if picture.dark else []),
                f"--window-size={picture.width},{picture.height}",
                f"--screenshot={target}",
                page.as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    if done.returncode != 0 or not target.is_file():
        raise ScreenshotError(f"Chromium took no picture of {page.name}: {done.stderr.strip()[-500:]}")


def pages_of_runs(demo: Demo, folder: Path) -> dict[str, Path]:
    """Deploy, roll back, drill and deploy again; copies of the report of the last, and of the history.

    They name neither this machine nor who works at it.

    Args:
        demo: where the commands run.
        folder: for the copies.

    Raises:
        TranscriptError: a command failed.
    """
    for command in (
        "ansible-playbook deploy.yml -e migration=009",
        "ansible-playbook emergency_rollback.yml -e migration=009",
        "ansible-playbook playbooks/drill.yml -e migration=009",
        "ansible-playbook deploy.yml -e migration=009",
    ):
        demo.playbook(command)
    run = json.loads((demo.artifacts / "latest" / "run.json").read_text(encoding="utf-8"))
    demo.playbook("ansible-playbook playbooks/history.yml")
    pages = {
        "report": demo.artifacts / run["run_id"] / "report.html",
        "history": demo.artifacts / f"history-{DATABASE}.html",
    }
    for name, page in pages.items():
        text = page.read_text(encoding="utf-8").replace(f"{demo.artifacts}/", "artifacts/")
        pages[name] = folder / f"{name}.html"
        pages[name].write_text(text.replace(run["operator"], WHO), encoding="utf-8")
    return pages


def main(arguments: list[str]) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(description="Take the screenshots from runs on the demo's server.")
    parser.add_argument("--state", type=Path, default=PROJECT / ".local", help="state folder of the server")
    options = parser.parse_args(arguments)
    try:
        server = LocalServer(options.state)
        if server.pid() is None:
            raise ScreenshotError("the local server does not run; start it with: make start")
        load(server, PROJECT / "sql", FILES)
        FOLDER.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="pgops-pages-") as folder:
            pages = pages_of_runs(Demo(server), Path(folder))
            for picture in PICTURES:
                photograph(pages[picture.page], picture, FOLDER / f"{picture.name}.png")
    except (
        ScreenshotError,
        TranscriptError,
        LoadError,
        LocalServerError,
        psycopg2.OperationalError,
    ) as error:
        print(f"screenshots: {str(error).strip()}", file=sys.stderr)
        return 1
    MADE_FROM.write_text(f"{digest_of_templates()}\n", encoding="utf-8")
    print("docs/screenshots shows these runs.  Look at what changed before you commit it.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
