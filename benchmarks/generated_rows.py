#!/usr/bin/env python3
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""How many tables get generated rows, of schemas that nobody wrote for it: strangers' and the MIDI library's."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[:0] = [str(PROJECT), str(PROJECT / "collections")]

from ansible_collections.pgops.runbook.plugins.module_utils.generation.generator import Generator  # noqa: E402
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import (  # noqa: E402
    connect,
    transaction,
)
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.replication import (  # noqa: E402
    detach_subscriptions,
)

from benchmarks.library_database import target_of  # noqa: E402
from benchmarks.measurement import Measurement, table  # noqa: E402
from benchmarks.strangers import Stranger, guests, missing, read_strangers  # noqa: E402
from demo.local_server import LocalServer, LocalServerError  # noqa: E402
from tests.fresh_database import fresh_database  # noqa: E402
from tests.integration.sql.midi_library import STEMS, script  # noqa: E402

__all__ = ["LIBRARY", "measure"]

LIBRARY = "midi library"
ROWS = 20

#: Tables that nobody could put a row into, and why.
CANNOT = {
    "expressions public.e": "its checks contradict each other: they are there to be written and read",
    "foreign_data public.parts": "its only partition is of a foreign data wrapper that does nothing",
}


def measure(server: LocalServer, strangers: Sequence[Stranger], library: bool = True) -> Measurement:
    """Fill the tables of each schema, in a database of its own.

    Args:
        server: with a superuser.
        strangers: schemas.
        library: whether the MIDI library is among them.
    """
    filled, empty = 0, {}
    with guests(server):
        for name, make in _schemas(server, strangers, library):
            with fresh_database(server) as database:
                make(database)
                tables, unfilled = _fill(server, database)
                filled += tables - len(unfilled)
                empty.update({f"{name} {one}": why for one, why in unfilled.items()})
                _leave(server, database)
    tried = filled + len(empty)
    known = [one for one in empty if one in CANNOT]
    share = f"{filled} of {tried} tables, {100 * filled / max(tried, 1):.1f} %, with up to {ROWS} rows each"
    notes = [share, *(f"none in {one}: {CANNOT.get(one, why)}" for one, why in sorted(empty.items()))]
    return Measurement("tables that get generated rows", tried, filled, tried - len(known), notes=notes)


def _schemas(
    server: LocalServer, strangers: Sequence[Stranger], library: bool
) -> list[tuple[str, Callable[[str], None]]]:
    with contextlib.closing(server.connect("postgres")) as connection:
        there = [one for one in strangers if not missing(one, connection.cursor())]
    schemas: list[tuple[str, Callable[[str], None]]] = [
        (one.name, partial(_execute, server, one.transactions)) for one in there
    ]
    if library:
        texts = [script("migrations", stem) for stem in STEMS]
        schemas.append((LIBRARY, partial(_execute, server, texts, autocommit=True)))
    return schemas


def _execute(server: LocalServer, texts: Sequence[str], database: str, autocommit: bool = False) -> None:
    with contextlib.closing(server.connect(database)) as connection:
        # A script of the library has a BEGIN and a COMMIT of its own.
        connection.autocommit = autocommit
        for text in texts:
            with connection.cursor() as cursor:
                cursor.execute(f"{text}\n;SELECT 1")
            if not autocommit:
                connection.commit()


def _fill(server: LocalServer, database: str) -> tuple[int, dict[str, str]]:
    """(number of tables, those that have no row, and why)."""
    with contextlib.closing(connect(target_of(server, database))) as connection:
        generator = Generator(database, ROWS, 1, lambda cursor: ["public.schema_migrations"])
        generator.fill(connection)
        with transaction(connection) as cursor:
            return _count(cursor), generator.unfilled


def _count(cursor: Any) -> int:
    cursor.execute(
        "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p')"
        " AND NOT c.relispartition AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
        " AND c.oid IS DISTINCT FROM to_regclass('public.schema_migrations')"
        " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')"
    )
    return cursor.fetchone()[0]


def _leave(server: LocalServer, database: str) -> None:
    """A database with a subscription cannot be dropped."""
    with contextlib.closing(server.connect(database)) as connection:
        connection.autocommit = True
        detach_subscriptions(connection)


def main(arguments: list[str]) -> int:
    """Run the command line; exit status 0 when all tables got rows but those that cannot."""
    parser = argparse.ArgumentParser(description="Fill the tables of strangers' schemas with generated rows.")
    parser.add_argument("--only", nargs="+", metavar="NAME", help=f"names of schemas, or '{LIBRARY}'")
    options = parser.parse_args(arguments)
    strangers = [one for one in read_strangers() if not options.only or one.name in options.only]
    # Without a handler SIGTERM would leave the server behind; now it acts like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="generated-rows-") as folder:
        server = LocalServer(Path(folder), fsync=False)
        try:
            server.start()
            done = measure(server, strangers, not options.only or LIBRARY in options.only)
        except LocalServerError as error:
            print(f"generated rows: {error}", file=sys.stderr)
            return 1
        finally:
            server.remove()
    print(table([done]))
    return 0 if done.passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
