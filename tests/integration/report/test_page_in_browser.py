# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The pages of a real run in a real browser: on a phone, a tablet and a desk, in the light and in the dark."""

from __future__ import annotations

import html
import importlib.resources
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from demo.local_server import LocalServer
from tests.fresh_database import fresh_database
from tests.integration.stories.application import Application, prepare, write_scripts

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="apt-get install chromium")

WIDTHS = (360, 800, 1280)

# Run within the page: how wide it is, and what axe-core finds.
PROBE = """
    window.addEventListener('load', () => axe.run().then(found => parent.postMessage(JSON.stringify({
        width: innerWidth,
        room: document.documentElement.clientWidth,
        scrolled: document.documentElement.scrollWidth,
        dark: matchMedia('(prefers-color-scheme: dark)').matches,
        violations: found.violations.map(one => [one.id, one.nodes.map(node => node.html).slice(0, 3)]),
        passes: found.passes.map(one => one.id),
        broken: [...document.querySelectorAll('th, td.good, td.bad')].filter(cell => {
            const text = document.createRange();
            text.selectNodeContents(cell);
            return !cell.children.length && !/\\s/.test(cell.textContent) && text.getClientRects().length > 1;
        }).map(cell => cell.textContent),
    }), '*')))"""

# A frame is as wide as it is told to be; a window is not narrower than its buttons.
AROUND = """<!DOCTYPE html><html><body><pre id="answer"></pre>
<script>window.addEventListener('message', event => document.getElementById('answer').textContent = event.data)</script>
<iframe title="report" style="width: {width}px; height: 900px; border: 0" srcdoc="{page}"></iframe></body></html>"""


@pytest.fixture(scope="module")
def pages(server: LocalServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The report of a deploy with a little of everything, and the history with it and a run that was refused."""
    folder = tmp_path_factory.mktemp("report")
    with fresh_database(server) as database:
        prepare(server, database)
        application = Application(server, folder, write_scripts(folder / "sql"), [database])
        run = application.deploy("002")
        assert run.status == 0, run.output
        report = application.artifacts / run.record["run_id"] / "report.html"
        assert application.deploy("013").record["outcome"] == "refused"
        assert application.run("playbooks/history.yml").status == 0
        return {"report": report, "history": application.artifacts / f"history-{database}.html"}


@pytest.fixture
def report(pages: dict[str, Path]) -> Path:
    return pages["report"]


def in_browser(page: str, width: int, folder: Path, *options: str) -> tuple[dict[str, Any], list[str]]:
    """What the probe says of a page, and what stood on the browser's console."""
    axe = importlib.resources.files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    probed = page.replace("</body>", f"<script>{axe}</script><script>{PROBE}</script></body>")
    path = folder / "around.html"
    path.write_text(AROUND.format(width=width, page=html.escape(probed)), encoding="utf-8")
    done = subprocess.run(
        [
            str(CHROMIUM),
            *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *(
                "--enable-logging=stderr",
                f"--user-data-dir={folder / 'profile'}",
                "--virtual-time-budget=20000",
            ),
            *("--window-size=1400,1000", "--dump-dom", *options, path.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=300,
    )
    answer = re.search(r'<pre id="answer">(.+?)</pre>', done.stdout, re.DOTALL)
    assert answer, done.stdout[-2000:] + done.stderr[-2000:]
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return json.loads(html.unescape(answer[1])), console


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["report", "history"])
def test_nothing_is_wrong_at_any_width(pages: dict[str, Path], name: str, width: int, tmp_path: Path) -> None:
    found, console = in_browser(pages[name].read_text(encoding="utf-8"), width, tmp_path)
    assert found["width"] == width
    assert found["scrolled"] <= found["room"], "the page scrolls sideways"
    assert found["violations"] == []
    assert found["broken"] == [], "a word goes on in the next line"
    assert "color-contrast" in found["passes"]
    assert console == []


@pytest.mark.parametrize("name", ["report", "history"])
def test_nothing_is_wrong_in_the_dark(pages: dict[str, Path], name: str, tmp_path: Path) -> None:
    found, _ = in_browser(
        pages[name].read_text(encoding="utf-8"), 800, tmp_path, "--blink-settings=preferredColorScheme=0"
    )
    assert found["dark"]
    assert found["violations"] == []


def test_the_probe_sees_what_is_wrong(tmp_path: Path) -> None:
    page = (
        '<!DOCTYPE html><html><head><title>x</title></head><body><p style="width: 900px; color: #ccc">pale</p>'
        "<script>nobody.knows()</script></body></html>"
    )
    found, console = in_browser(page, 360, tmp_path)
    assert found["scrolled"] > 360
    assert {"color-contrast", "html-has-lang"} <= {name for name, _ in found["violations"]}
    assert console


def test_it_needs_no_network_and_every_section_is_filled(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    assert not re.search(r"(src|href)\s*=|url\(|@import", text)
    sections = dict(re.findall(r'<section id="(\w+)">(.*?)</section>', text, re.DOTALL))
    assert set(sections) == {"outcome", "steps", "schema", "impact", "proof", "rows", "lint"}
    assert "column public.notes.author" in sections["schema"]
    assert "AccessExclusiveLock" in sections["impact"]
    assert "The rows came back: yes" in sections["proof"]
    assert sections["steps"].count("<svg") == 8
    assert re.search(r"ansible-playbook emergency_rollback.yml -i \S+ -e migration=002", sections["outcome"])


def test_the_history_leads_to_the_reports_and_nowhere_else(pages: dict[str, Path]) -> None:
    text = pages["history"].read_text(encoding="utf-8")
    assert not re.search(r"src\s*=|url\(|@import", text)
    links = re.findall(r'href="([^"]*)"', text)
    assert [(pages["history"].parent / link).is_file() for link in links] == [True, True]
    assert text.count("<svg") == 2
