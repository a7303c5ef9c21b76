#!/usr/bin/env python3
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Schemas of strangers, backed up and proven: how often a sound backup is refused, and a planted difference missed.

Each file of strangers/schemas is one database. Its first comment says what it is about; further ones hold:

    -- PostgreSQL: 18          the oldest version that knows its statements
    -- Needs: extension NAME   or icu, tablespace, label provider
    -- Next transaction        what follows is sent after COMMIT
    -- Fault: STATEMENTS       a true difference, planted in the copy alone, that the proof has to see
"""

from __future__ import annotations

import argparse
import contextlib
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[:0] = [str(PROJECT), str(PROJECT / "collections")]

from ansible_collections.pgops.runbook.plugins.module_utils.backup.copy import CopyDatabase  # noqa: E402
from ansible_collections.pgops.runbook.plugins.module_utils.backup.files import BackupFiles  # noqa: E402
from ansible_collections.pgops.runbook.plugins.module_utils.backup.proof import (  # noqa: E402
    compare_with_backup,
)
from ansible_collections.pgops.runbook.plugins.module_utils.backup.snapshot import back_up  # noqa: E402
from ansible_collections.pgops.runbook.plugins.module_utils.errors import StepFailed  # noqa: E402
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.replication import (  # noqa: E402
    detach_subscriptions,
)
from psycopg2 import sql  # noqa: E402

from benchmarks.library_database import target_of  # noqa: E402
from benchmarks.measurement import Measurement, first_of, table  # noqa: E402
from demo.local_server import LocalServer, LocalServerError  # noqa: E402
from tests.fresh_database import fresh_database  # noqa: E402
from tests.integration.backup.proving import restore_and_compare  # noqa: E402

__all__ = ["SCHEMAS", "Proven", "Stranger", "guests", "missing", "proven", "read_strangers"]

SCHEMAS = Path(__file__).resolve().parent / "strangers" / "schemas"

ROLES = ("strangers_owner", "strangers_reader")
TABLESPACE = "strangers_space"


@dataclass(frozen=True)
class Stranger:
    """One schema.

    Attributes:
        name: of its file.
        transactions: statements, those of one transaction together.
        faults: statements, each a true difference.
        oldest: version of PostgreSQL that it needs.
        needs: what the server has to have.
    """

    name: str
    transactions: tuple[str, ...]
    faults: tuple[str, ...]
    oldest: int
    needs: tuple[str, ...]


def read_strangers(folder: Path = SCHEMAS) -> list[Stranger]:
    """All schemas, by name."""
    return [_read(path) for path in sorted(folder.glob("*.sql"))]


def _read(path: Path) -> Stranger:
    text = path.read_text(encoding="utf-8")
    oldest = re.search(r"^-- PostgreSQL: (\d+)$", text, re.MULTILINE)
    return Stranger(
        path.stem,
        tuple(re.split(r"^-- Next transaction$", text, flags=re.MULTILINE)),
        tuple(re.findall(r"^-- Fault: (.*)$", text, re.MULTILINE)),
        int(oldest[1]) if oldest else 0,
        tuple(re.findall(r"^-- Needs: (.*)$", text, re.MULTILINE)),
    )


def missing(stranger: Stranger, cursor: Any) -> str | None:
    """What the server lacks for it, in words; None where it has all."""
    if cursor.connection.server_version // 10000 < stranger.oldest:
        return f"PostgreSQL {stranger.oldest}"
    for need in stranger.needs:
        kind, _, name = need.partition(" ")
        if kind == "extension":
            cursor.execute("SELECT count(*) FROM pg_available_extensions WHERE name = %s", (name,))
        elif kind == "icu":
            # One that is built without it refuses to make such a collation; initdb of the others has made some.
            cursor.execute("SELECT count(*) FROM pg_collation WHERE collname LIKE '%-x-icu'")
        elif kind == "tablespace":
            cursor.execute("SELECT count(*) FROM pg_tablespace WHERE spcname = %s", (TABLESPACE,))
        else:
            return need
        if not cursor.fetchone()[0]:
            return need
    return None


@contextlib.contextmanager
def guests(server: LocalServer) -> Iterator[None]:
    """Inside, the server has the roles and the tablespace that the schemas name."""
    folder = Path(tempfile.mkdtemp(prefix="strangers-", dir=Path(server.data).parent))
    with contextlib.closing(server.connect("postgres")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            try:
                for role in ROLES:
                    cursor.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
                shutil.chown(folder, Path(server.data).owner(), Path(server.data).group())
                cursor.execute(
                    sql.SQL("CREATE TABLESPACE {} LOCATION {}").format(
                        sql.Identifier(TABLESPACE), sql.Literal(str(folder))
                    )
                )
                yield
            finally:
                cursor.execute(sql.SQL("DROP TABLESPACE IF EXISTS {}").format(sql.Identifier(TABLESPACE)))
                for role in ROLES:
                    cursor.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))
                shutil.rmtree(folder)


@dataclass(frozen=True)
class Proven:
    """What came of one schema.

    Attributes:
        refused: the sentence that refused its sound backup, or None.
        unseen: faults that the proof has let pass.
    """

    refused: str | None
    unseen: tuple[str, ...]


def proven(server: LocalServer, stranger: Stranger, folder: Path) -> Proven:
    """Make the schema, back it up, prove the backup, and plant each fault in the copy."""
    with fresh_database(server) as database:
        with contextlib.closing(server.connect(database)) as connection:
            for statements in stranger.transactions:
                with connection.cursor() as cursor:
                    cursor.execute(f"{statements}\n;SELECT 1")
                connection.commit()
        where = target_of(server, database)
        files = BackupFiles(str(folder), f"stranger-{stranger.name}")
        copy = CopyDatabase(where, f"stranger-{stranger.name}")
        with contextlib.closing(server.connect(database)) as connection:
            manifest = back_up(connection, where, files, bindir=server.bindir)
        try:
            restore_and_compare(files, manifest, copy, bindir=server.bindir)
        except StepFailed as error:
            return Proven(error.reason, ())
        else:
            return Proven(None, tuple(_unseen(stranger, manifest, copy)))
        finally:
            copy.drop()
            with contextlib.closing(server.connect(database)) as connection:
                connection.autocommit = True
                detach_subscriptions(connection)


def _unseen(stranger: Stranger, manifest: dict[str, Any], copy: CopyDatabase) -> Iterator[str]:
    with contextlib.closing(copy.connect()) as connection:
        for fault in stranger.faults:
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL search_path = public")
                cursor.execute(fault)
                # As a restore finds it: no cursor's transaction that still has something to do at its end.
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            try:
                compare_with_backup(connection, manifest)
            except StepFailed:
                pass
            else:
                yield fault
            finally:
                connection.rollback()


def measure(server: LocalServer, strangers: Sequence[Stranger]) -> list[Measurement]:
    """Two rows of the table: sound backups that are refused, and planted differences that pass."""
    refused, unseen, skipped, tried, faults = [], [], [], 0, 0
    with tempfile.TemporaryDirectory(prefix="strangers-") as folder, guests(server):
        for stranger in strangers:
            with contextlib.closing(server.connect("postgres")) as connection:
                lacks = missing(stranger, connection.cursor())
            if lacks:
                skipped.append(f"{stranger.name} was left out: the server has no {lacks}")
                continue
            found = proven(server, stranger, Path(folder))
            tried += 1
            if found.refused:
                refused.append(f"{stranger.name}: {found.refused}")
            else:
                faults += len(stranger.faults)
                unseen += [f"{stranger.name}: {fault}" for fault in found.unseen]
    return [
        Measurement(
            "schemas whose sound backup is refused", tried, len(refused), 0, notes=[*refused, *skipped]
        ),
        Measurement("planted differences that pass", faults, len(unseen), 0, notes=first_of(unseen, 20)),
    ]


def main(arguments: list[str]) -> int:
    """Run the command line; exit status 0 when nothing was refused wrongly and nothing passed wrongly."""
    parser = argparse.ArgumentParser(description="Back up and prove the schemas of strangers.")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="names of schemas (default: all)")
    options = parser.parse_args(arguments)
    strangers = read_strangers()
    if options.only:
        strangers = [one for one in strangers if one.name in options.only]
    # Without a handler SIGTERM would leave the server behind; now it acts like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="strangers-server-") as folder:
        server = LocalServer(Path(folder), fsync=False)
        try:
            server.start()
            done = measure(server, strangers)
        except LocalServerError as error:
            print(f"strangers: {error}", file=sys.stderr)
            return 1
        finally:
            server.remove()
    print(table(done))
    return 0 if all(one.passed for one in done) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
