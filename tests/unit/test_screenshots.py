# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The screenshots of the documents: those that are shown are there, and show the templates as they are today."""

from __future__ import annotations

import re
import shutil
import struct
from pathlib import Path

import pytest

from demo import screenshots
from demo.screenshots import FOLDER, MADE_FROM, PICTURES, Picture, digest_of_templates, photograph

PROJECT = Path(__file__).resolve().parents[2]
README = (PROJECT / "README.md").read_text(encoding="utf-8")

needs_chromium = pytest.mark.skipif(
    shutil.which("chromium") is None and shutil.which("chromium-browser") is None,
    reason="apt-get install chromium",
)


def size_of(path: Path) -> tuple[int, ...]:
    """Width and height of a PNG, in pixels, of which its first chunk tells."""
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", content[16:24])


def test_they_show_the_templates_as_they_are() -> None:
    assert MADE_FROM.read_text(encoding="utf-8").strip() == digest_of_templates(), "type: make screenshots"


def test_a_template_that_is_changed_or_renamed_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(screenshots.TEMPLATES, tmp_path / "templates"))
    monkeypatch.setattr(screenshots, "TEMPLATES", folder)
    digests = [digest_of_templates()]
    with (folder / "style.css.j2").open("a", encoding="utf-8") as template:
        template.write("p { margin: 0 }\n")
    digests.append(digest_of_templates())
    (folder / "report.md.j2").rename(folder / "summary.md.j2")
    digests.append(digest_of_templates())
    assert len(set(digests)) == 3


@pytest.mark.parametrize("picture", PICTURES, ids=lambda one: one.name)
def test_each_is_there_in_its_size_and_shown(picture: Picture) -> None:
    assert size_of(FOLDER / f"{picture.name}.png") == (picture.width, picture.height)
    assert re.search(rf"!\[[^]]+\]\(docs/screenshots/{picture.name}\.png\)", README)


def test_there_are_no_others_and_the_command_is_named() -> None:
    assert {path.stem for path in FOLDER.glob("*.png")} == {one.name for one in PICTURES}
    assert "`make screenshots`" in README


@needs_chromium
def test_a_page_is_photographed_in_the_light_and_in_the_dark(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        "<!DOCTYPE html><style>body { background: #fff } @media (prefers-color-scheme: dark) "
        "{ body { background: #000 } }</style><body>",
        encoding="utf-8",
    )
    taken = []
    for dark in (False, True):
        target = tmp_path / f"{dark}.png"
        photograph(page, Picture("x", "x", 600, 200, dark), target)
        assert size_of(target) == (600, 200)
        taken.append(target.read_bytes())
    assert taken[0] != taken[1]


def test_without_a_browser_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(screenshots.ScreenshotError, match="apt-get install chromium"):
        photograph(tmp_path / "page.html", PICTURES[0], tmp_path / "page.png")
