# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The copy has a locale of ICU, too: on a server of a package, since that of the tests is built without it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.backup.copy import CopyDatabase, database_settings
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import connect, transaction

from demo.local_server import SUPERUSER, LocalServer
from tests.integration.step_runs import StepRuns, target
from tests.releases import programs_by_release

ICU = "ENCODING 'UTF8' LOCALE_PROVIDER icu LC_COLLATE 'C' LC_CTYPE 'C' ICU_LOCALE"
FACTS = "to_jsonb(d) - '{oid,datname,datacl,datdba,dattablespace,datfrozenxid,datminmxid}'::text[]"


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    programs = [folder for folder in programs_by_release().values() if folder.is_relative_to("/usr/lib")]
    if not programs:
        pytest.skip("no PostgreSQL of a package is installed (apt-get install postgresql)")
    server = LocalServer(
        tmp_path_factory.mktemp("packaged") / "server",
        fsync=False,
        programs=Path(programs[-1]),
        roles=(SUPERUSER,),
    )
    try:
        server.start()
        yield server
    finally:
        server.remove()


def test_encoding_and_locale_are_kept(packaged: LocalServer, tmp_path: Path) -> None:
    admin = StepRuns(packaged, "postgres", tmp_path)
    ((release,),) = admin.ask("SELECT current_setting('server_version_num')::int / 10000")
    wanted = [f"{ICU} 'de-DE'", *([f"{ICU} 'und' ICU_RULES '&b < a'"] if release >= 16 else [])]
    for number, options in enumerate(wanted):
        original = f"original_{number}"
        admin.execute(f"CREATE DATABASE {original} TEMPLATE template0 {options}")
        copy = CopyDatabase(target(packaged, "postgres"), f"run-{number}")
        with (
            contextlib.closing(connect(target(packaged, original))) as connection,
            transaction(connection) as cursor,
        ):
            copy.create(database_settings(cursor))
        ((first,), (second,)) = admin.ask(
            f"SELECT {FACTS} FROM pg_database d WHERE datname IN ('{original}', '{copy.name}')"
        )
        assert first == second
        assert first["datlocprovider"] == "i"
        copy.drop()
