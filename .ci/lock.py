#!/usr/bin/env python3
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Write requirements.lock from requirements.txt: `make lock`.

pip itself resolves for every Python version and processor that the project supports and reports which file it
would install; the lock holds the versions and the union of the digests.  `--isolated` keeps this machine's
pip settings (mirrors, local wheels) out of it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PROCESSORS = ("x86_64", "aarch64")
C_LIBRARIES = ("manylinux2014", "manylinux_2_17", "manylinux_2_28", "manylinux_2_34")
HEADER = """\
# Written by `make lock`, not by hand, for Linux (glibc) on x86_64 and aarch64, CPython 3.11 to 3.14.
# pip checks every file against its digest, because each line has one.
"""


def resolve(python: str, processor: str) -> list[dict]:
    """Return pip's report of what it would install for one Python version on one processor."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "--isolated", "install", "--quiet", "--dry-run"),
                *("--ignore-installed", "--target", "unused", "--only-binary=:all:"),
                *("--python-version", python, "--report", report.name),
                *(f"--platform={library}_{processor}" for library in C_LIBRARIES),
                *("--requirement", str(PROJECT / "requirements.txt")),
            ],
            check=True,
        )
        return json.loads(Path(report.name).read_text())["install"]


def main() -> None:
    """Resolve for every combination and write the lock; versions that differ between them are an error."""
    digests: dict[str, set[str]] = defaultdict(set)
    pins: dict[str, str] = {}
    for python in PYTHONS:
        for processor in PROCESSORS:
            for item in resolve(python, processor):
                name, version = item["metadata"]["name"].lower(), item["metadata"]["version"]
                if pins.setdefault(name, version) != version:
                    sys.exit(f"{name}: {pins[name]} elsewhere, but {version} on Python {python} {processor}")
                digests[name].add(item["download_info"]["archive_info"]["hashes"]["sha256"])
    lines = [
        " \\\n    ".join(
            [f"{name}=={pins[name]}", *(f"--hash=sha256:{value}" for value in sorted(digests[name]))]
        )
        for name in sorted(pins)
    ]
    (PROJECT / "requirements.lock").write_text(HEADER + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
