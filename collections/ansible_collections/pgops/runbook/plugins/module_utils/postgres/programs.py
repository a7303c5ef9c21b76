# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""PostgreSQL's client programs, started with argument lists and never through a shell."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from ..errors import Refused, StepFailed
from ..shapes import Connection, Target
from .answers import one_row
from .connection import client_environment, transaction
from .unreachable import advice, without_libpq_advice

__all__ = [
    "encoding_of_dump",
    "ended_program",
    "find_program",
    "program_major_version",
    "reading_null",
    "run_program",
]

NO_CONNECTION = re.compile(
    r"connection to (server|database) .* failed|definition of service|sslmode|service file"
)

# Of the server's answer; the program's own "error:" comes before it in the line, where there is such an answer.
ERROR = re.compile(r"\b(ERROR|FATAL|PANIC):  ")

LAST_LINES = 5

# Of the session as it began: our own turn has another value.
ARRAY_NULLS = "SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'array_nulls'"


def find_program(name: str, bindir: str = "") -> str:
    """Absolute path of ``name`` in ``bindir``, or on PATH when that is empty.

    Raises:
        Refused: when it is not there.
    """
    path = os.path.join(bindir, name) if bindir else shutil.which(name)
    if not path or not os.access(path, os.X_OK):
        where = f"in {bindir} (pg_bindir)" if bindir else "on PATH"
        raise Refused(
            "client_program_unusable",
            f"The program {name} was not found {where}. Install PostgreSQL's client programs on the host"
            " that makes the backup, or set pg_bindir.",
        )
    return path


def program_major_version(path: str) -> int:
    """Major version of a client program, for example 18.

    Raises:
        Refused: when it does not say.
    """
    answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    version = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    if version is None:
        raise Refused(
            "client_program_unusable",
            f"{path} --version does not tell a version: {answer.stderr.strip()} Install PostgreSQL's client programs,"
            " or set pg_bindir.",
        )
    return int(version.group(1))


def ended_program(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """A program that was run to its end: nobody answers it, and nobody else may read the files that it makes."""
    return subprocess.run(
        command,
        env=environment,
        umask=0o077,  # a dump holds every row
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def run_program(path: str, options: Sequence[str], target: Target, arguments: Sequence[str] = ()) -> str:
    """Run a client program to its end.

    Args:
        path: absolute path of the program.
        options, arguments: lists of str.
        target: connection options; give the environment of the program, and so the password.

    Returns:
        str: what it printed to standard output.

    Raises:
        StepFailed: with the last lines of its standard error when it does not exit with 0, or with the signal
            that killed it.
    """
    environment = {**os.environ, **client_environment(target), "LC_MESSAGES": "C"}
    answer = ended_program([path, *options, *arguments], environment)
    if answer.returncode != 0:
        if answer.returncode < 0:
            raise StepFailed(
                "client_program_failed",
                f"{os.path.basename(path)} was killed by signal {-answer.returncode}.",
            )
        raise StepFailed(
            "client_program_failed",
            f"{os.path.basename(path)} failed with exit status {answer.returncode}: {_complaint(answer.stderr)}",
        )
    return answer.stdout


def encoding_of_dump(connection: Connection) -> list[str]:
    """Options of pg_dump: it writes in the encoding of its database, which alone has all of its characters.

    Without them it is the client_encoding that the role or the database has.

    Args:
        connection: to that database.
    """
    # A pooler may not tell it.
    encoding = connection.info.parameter_status("server_encoding")
    return [f"--encoding={encoding}"] if encoding else []


def reading_null(connection: Connection, target: Target) -> Target:
    """Connection options for pg_restore, to which NULL in an array is no value: a dump writes it without quotes.

    It sets by itself what else decides how a dump is read (manual, pg_restore), and not array_nulls. Where role and
    database leave it, nothing is added: poolers refuse options that they do not know.

    Args:
        connection: to the database that is restored into, with those options.
    """
    with transaction(connection) as cursor:
        cursor.execute(ARRAY_NULLS)
        if one_row(cursor)[0] == "on":
            return target
    # Whoever has set them: a variable, the section of a service, or PGOPTIONS.
    options = connection.info.dsn_parameters.get("options", "")
    return {**target, "options": f"{options} -c array_nulls=on".lstrip()}


def _complaint(printed: str) -> str:
    """The last lines of a program's standard error; of one that could not connect, with what to do.

    With the first error among them, which is the reason: PostgreSQL's context and the statement may take any number of
    lines after it, and what the other jobs say when they are cancelled.
    """
    said = printed.strip()
    lines = said.splitlines()
    first = next((number for number, line in enumerate(lines) if ERROR.search(line)), len(lines))
    told = [lines[first], "..."] if first < len(lines) - LAST_LINES else []
    last_lines = " / ".join([*told, *lines[-LAST_LINES:]])
    if NO_CONNECTION.search(said) is None:
        return last_lines
    last_lines, what = without_libpq_advice(last_lines), advice(said)
    return f"{last_lines.rstrip('.')}. {what}" if what else last_lines
