# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make a real file for each row of the library; what is in it tells of which row it is."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT))

from demo.local_server import LocalServer  # noqa: E402 - the path has to be set first

PREFIX = "/library/"


def main(arguments: list[str]) -> int:
    """Write below ``<state>/library``; return the exit status."""
    parser = argparse.ArgumentParser(description="Make a real file for each row of the library.")
    parser.add_argument("--state", type=Path, required=True, help="state folder of the scenario's server")
    options = parser.parse_args(arguments)
    with (
        contextlib.closing(LocalServer(options.state).connect("midi_library")) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT id, filepath FROM files WHERE filepath NOT LIKE 'C:%'")
        for number, path in cursor.fetchall():
            file = options.state / "library" / path.removeprefix(PREFIX)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"file {number}", encoding="utf-8")
            file.chmod(0o640)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
