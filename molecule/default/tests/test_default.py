# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The library is there, at the version before the next deployment."""

from __future__ import annotations


def test_library_stands_before_009(library):
    with library.cursor() as cursor:
        cursor.execute("SELECT version FROM schema_migrations ORDER BY version")
        assert [row[0] for row in cursor.fetchall()] == ["001", "002", "003", "006", "007", "008"]


def test_state_file_is_private(host, scenario_state):
    assert host.file(str(scenario_state / "server.json")).mode == 0o600
