#!/usr/bin/env python3
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rollbacks drafted for migrations that were not written for it: how many give back the schema as they are.

The migrations are those of the library, the schemas of strangers, each made from an empty database, and the statements
that plant a difference in them (``-- Fault:``), each a migration of that schema. Of each the rollback is drafted from
the database as it was before, and played after the migration; schema and rows must be what they were. A draft that says
that it is unfinished may be wrong; one that does not may not. Of the good ones of strangers' migrations the draft is
rehearsed, in the place of the rollback that somebody wrote.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[:0] = [str(PROJECT), str(PROJECT / "collections")]

import psycopg2  # noqa: E402
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.application import read_schema  # noqa: E402
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.difference import describe  # noqa: E402
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.remade import difference_left  # noqa: E402
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.residue import (  # noqa: E402
    beyond_residue,
    undeclared,
)
from ansible_collections.pgops.runbook.plugins.module_utils.content import difference as of_rows  # noqa: E402
from ansible_collections.pgops.runbook.plugins.module_utils.content.fingerprint import (  # noqa: E402
    content_fingerprint,
)
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.replication import (  # noqa: E402
    detach_subscriptions,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting.checks import (  # noqa: E402
    checks_of,
    verify_text,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting.draft import Draft  # noqa: E402
from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting.written import (  # noqa: E402
    About,
    rollback_text,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.header import parse_header  # noqa: E402
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.library import read_sql_library  # noqa: E402

from benchmarks.drafted import Played, drafted  # noqa: E402
from benchmarks.drafts_of_stories import good_ones, rehearsed  # noqa: E402
from benchmarks.measurement import Measurement, first_of, table  # noqa: E402
from benchmarks.strangers import guests, missing, read_strangers  # noqa: E402
from demo.local_server import LocalServer, LocalServerError  # noqa: E402
from tests.fresh_database import fresh_database  # noqa: E402

__all__ = ["Played", "measure", "of_library", "of_strangers", "played"]

OF_MIGRATIONS = "of these, those of strangers' migrations, which pass their rehearsal as they are"


def played(
    connection: Any, name: str, migration: Sequence[str], draft: Draft, version: str = "001"
) -> Played:
    """Play migration and draft in a transaction that is undone."""
    about = About(name, version, "", "2026-11-27", "", None)
    text = rollback_text(about, draft)
    unfinished = tuple(sentence for _line, sentence in draft.open_points())
    misjudged = ""
    try:
        with connection.cursor() as cursor:
            before, rows = read_schema(cursor), content_fingerprint(cursor)
            for statements in migration:
                cursor.execute("SET LOCAL search_path = public")
                cursor.execute(statements)
            cursor.execute("RESET ROLE; SET LOCAL search_path = public")
            # As at COMMIT, after which another script begins.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
            misjudged = _judged(cursor, "\n".join(migration), version)
            cursor.execute(text.replace("BEGIN;\n", "", 1).removesuffix("COMMIT;\n"))
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            left, residue = beyond_residue(difference_left(cursor, before, read_schema(cursor)))
            wrong = [*describe(left), *undeclared(residue, parse_header(text).leaves)]
            if not wrong:
                wrong = [str(one) for one in of_rows.difference(rows, content_fingerprint(cursor))]
        return Played(name, unfinished, "; ".join(wrong)[:600], misjudged)
    except psycopg2.Error as error:
        return Played(name, unfinished, str(error).strip().splitlines()[0], misjudged)
    finally:
        connection.rollback()


def _judged(cursor: Any, migration: str, version: str) -> str:
    """What the drafted verify script says, which should be nothing; undone."""
    checks = checks_of(migration)
    if not checks:
        return ""
    cursor.execute("SAVEPOINT judged")
    try:
        cursor.execute(verify_text("x", version, checks))
    except psycopg2.Error as error:
        return " ".join(str(error).split("CONTEXT")[0].split())
    finally:
        cursor.execute("ROLLBACK TO judged")
    return ""


def of_strangers(server: LocalServer, names: Sequence[str] = ()) -> Iterator[Played]:
    """Each schema as a migration, and each of its planted differences; roles and tablespace must be there."""
    for stranger in read_strangers():
        if names and stranger.name not in names:
            continue
        with fresh_database(server) as database, contextlib.closing(server.connect(database)) as connection:
            if missing(stranger, connection.cursor()):
                continue
            connection.rollback()
            whole = drafted(server, database, "\n".join(stranger.transactions))
            if len(stranger.transactions) == 1 and stranger.name != "empty":
                yield played(connection, stranger.name, stranger.transactions, whole)
            for statements in stranger.transactions:
                with connection.cursor() as cursor:
                    cursor.execute(f"{statements}\n;SELECT 1")
                connection.commit()
            for number, fault in enumerate(stranger.faults, 1):
                draft = drafted(server, database, f"SET search_path = public;\n{fault}")
                yield played(connection, f"{stranger.name} {number}: {fault}", [fault], draft)
            connection.autocommit = True
            detach_subscriptions(connection)


def of_library(server: LocalServer) -> Iterator[Played]:
    """The migrations of the library in their order, each with its sample rows before the next one."""
    with fresh_database(server) as database, contextlib.closing(server.connect(database)) as connection:
        for migration in read_sql_library(PROJECT / "sql").migrations:
            text = migration.apply.text
            plain = text.replace("BEGIN;\n", "", 1).replace("COMMIT;\n", "", 1)
            yield played(
                connection,
                migration.stem,
                [plain],
                drafted(server, database, text, migration.version),
                migration.version,
            )
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL search_path = public")
                cursor.execute(plain)
                if migration.sample:
                    cursor.execute(migration.sample.text.replace("BEGIN;\n", "").replace("COMMIT;\n", ""))
            connection.commit()


def _share(what: str, ones: Sequence[Played]) -> Measurement:
    """How many of them pass as they are, four fifths at least."""
    unfinished = [f"{one.name}: {one.unfinished[0]}" for one in ones if one.unfinished]
    return Measurement(
        what,
        len(ones),
        sum(one.passed for one in ones),
        -(-4 * len(ones) // 5),
        at_least=True,
        notes=first_of([f"unfinished: {one}" for one in unfinished], 100),
    )


def measure(played_all: Sequence[Played], of_migrations: Sequence[Played] = ()) -> list[Measurement]:
    """The rows of the table.

    Args:
        played_all: all drafts.
        of_migrations: those among them that were rehearsed, of strangers' migrations; none, no row.
    """
    misjudged = [f"{one.name}: {one.misjudged}" for one in played_all if one.misjudged]
    silent = [f"{one.name}: {one.wrong}" for one in played_all if one.wrong_in_silence]
    return [
        _share("drafted rollbacks that give back schema and rows as they are", played_all),
        *([_share(OF_MIGRATIONS, of_migrations)] if of_migrations else []),
        Measurement(
            "drafted rollbacks that are wrong and do not say so",
            len(played_all),
            len(silent),
            0,
            notes=silent,
        ),
        Measurement(
            "drafted verify scripts that fail where the migration is in place",
            len(played_all),
            len(misjudged),
            0,
            notes=misjudged,
        ),
    ]


def main(arguments: list[str]) -> int:
    """Run the command line; exit status 0 when at least four fifths pass as they are and none is wrong in silence."""
    parser = argparse.ArgumentParser(description="Draft rollbacks, and play them.")
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        help="names of schemas and migrations (default: all, and the library)",
    )
    options = parser.parse_args(arguments)
    # Without a handler SIGTERM would leave the server behind; now it acts like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="drafts-server-") as folder:
        server = LocalServer(Path(folder), fsync=False)
        try:
            server.start()
            with guests(server):
                done = [] if options.only else list(of_library(server))
                done += of_strangers(server, options.only or ())
                done += (of_migrations := list(rehearsed(server, good_ones(server, options.only or ()))))
        except LocalServerError as error:
            print(f"drafts: {error}", file=sys.stderr)
            return 1
        finally:
            server.remove()
    measured = measure(done, of_migrations)
    print(table(measured))
    return 0 if all(one.passed for one in measured) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
