# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The library's migrations as dbmate and Sqitch want them, where these programs are there."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmarks.speed.programs import seconds_of
from demo.local_server import LocalServer

__all__ = ["TOOLS", "for_dbmate", "for_sqitch", "seconds_of_tool", "tools_at_hand"]

TOOLS = ("dbmate", "sqitch")
# dbmate puts a transaction around each script by itself.
OF_TRANSACTION = re.compile(r"^(BEGIN|COMMIT);[ \t]*$", re.MULTILINE)


def tools_at_hand() -> list[str]:
    """Those that are installed; nothing is installed for them."""
    return [tool for tool in TOOLS if shutil.which(tool)]


def for_dbmate(scripts: Sequence[Path]) -> dict[str, str]:
    """Name of a file -> its text, of all migrations in their order."""
    return {
        f"migrations/{number:03}_{script.stem}.sql": "-- migrate:up\n"
        + OF_TRANSACTION.sub("", script.read_text(encoding="utf-8"))
        + "\n-- migrate:down\n"
        for number, script in enumerate(scripts, 1)
    }


def for_sqitch(scripts: Sequence[Path]) -> dict[str, str]:
    """Likewise, with the plan."""
    plan = ["%syntax-version=1.0.0", "%project=library", ""]
    plan += [f"{one.stem} 2024-01-01T00:00:00Z A <a@example.com> # {one.stem}" for one in scripts]
    return {
        "sqitch.plan": "\n".join(plan) + "\n",
        "sqitch.conf": "[core]\n\tengine = pg\n[user]\n\tname = A\n\temail = a@example.com\n",
        **{f"deploy/{one.name}": one.read_text(encoding="utf-8") for one in scripts},
    }


def seconds_of_tool(
    tool: str, server: LocalServer, database: str, folder: Path, scripts: Sequence[Path]
) -> float:
    """Write its files, and have it apply all of them to an empty database.

    Raises:
        RuntimeError: it failed.
    """
    for name, text in (for_dbmate if tool == "dbmate" else for_sqitch)(scripts).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    url = f"postgres://{server.user}@/{database}?host={server.host}&port={server.port}&sslmode=disable"
    # The library has a table schema_migrations of its own.
    dbmate = ["dbmate", "--url", url, "--migrations-dir", "migrations", "--no-dump-schema"]
    commands = {
        "dbmate": [*dbmate, "--migrations-table", "applied_by_dbmate", "up"],
        "sqitch": ["sqitch", "deploy", f"db:pg://{server.user}@/{database}"],
    }
    where = {"PGHOST": server.host, "PGPORT": str(server.port), "HOME": str(folder)}
    return seconds_of(commands[tool], folder, where)
