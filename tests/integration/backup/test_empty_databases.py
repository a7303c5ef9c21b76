# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""One empty database after the other, and none in the end."""

from __future__ import annotations

import contextlib

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.backup.copy import CopyDatabase
from ansible_collections.pgops.runbook.plugins.module_utils.backup.empty_databases import EmptyDatabases

from demo.local_server import LocalServer
from tests.integration.step_runs import target


def test_each_is_empty_and_nothing_is_left(server: LocalServer) -> None:

    copy = CopyDatabase(target(server, "postgres"), "one after the other")
    with contextlib.closing(EmptyDatabases(copy, {"settings": [["work_mem", "5MB"]]})) as databases:
        first = databases.anew()
        with first, first.cursor() as cursor:
            cursor.execute("CREATE TABLE public.t (id int)")
        second = databases.anew()
        assert first.closed
        with second, second.cursor() as cursor:
            cursor.execute("SELECT to_regclass('public.t'), current_database(), current_setting('work_mem')")
            assert cursor.fetchone() == (None, copy.name, "5MB")
    assert second.closed
    with pytest.raises(psycopg2.OperationalError, match="does not exist"):
        server.connect(copy.name)
