# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Statements about what all databases of a server share are told from those about this one."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.script import parse_script
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.shared_objects import changes_shared_objects
from pglast import parse_sql


def shared(text: str) -> tuple[tuple[int, str], ...]:
    return parse_script(text, "x.sql").shared


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("CREATE USER app PASSWORD 'x'", "CREATE ROLE app"),
        ("CREATE GROUP app", "CREATE ROLE app"),
        ("ALTER ROLE app SUPERUSER", "ALTER ROLE"),
        ("ALTER GROUP app ADD USER x", "ALTER ROLE"),
        ("ALTER USER app SET work_mem = 1", "ALTER ROLE"),
        ("ALTER ROLE app IN DATABASE shop RESET ALL", "ALTER ROLE"),
        ("ALTER ROLE app RENAME TO b", "ALTER ROLE ... RENAME"),
        ("DROP USER app", "DROP ROLE"),
        ("GRANT app, b TO c", "GRANT app, b"),
        ("REVOKE app FROM c", "REVOKE app"),
        ("ALTER DATABASE shop SET work_mem = '1MB'", "ALTER DATABASE shop"),
        ("ALTER DATABASE shop CONNECTION LIMIT 1", "ALTER DATABASE shop"),
        ("ALTER DATABASE shop REFRESH COLLATION VERSION", "ALTER DATABASE shop"),
        ("ALTER DATABASE shop OWNER TO app", "ALTER DATABASE ... OWNER"),
        ("ALTER DATABASE shop RENAME TO b", "ALTER DATABASE ... RENAME"),
        ("COMMENT ON DATABASE shop IS 'x'", "COMMENT ON DATABASE"),
        ("COMMENT ON ROLE app IS 'x'", "COMMENT ON ROLE"),
        ("SECURITY LABEL ON ROLE app IS 'x'", "SECURITY LABEL ON ROLE"),
        ("GRANT CONNECT ON DATABASE shop TO app", "GRANT or REVOKE ON DATABASE"),
        ("REVOKE SET ON PARAMETER work_mem FROM app", "GRANT or REVOKE ON PARAMETER"),
        ("ALTER TABLESPACE fast SET (seq_page_cost = 1)", "ALTER TABLESPACE"),
        ("ALTER SUBSCRIPTION s ENABLE", "ALTER SUBSCRIPTION s ENABLE"),
        ("CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p", "CREATE SUBSCRIPTION s"),
    ],
)
def test_what_changes_them_is_named_with_its_line(text: str, command: str) -> None:
    assert shared(f"SELECT 1;\n{text};") == ((2, command),)


@pytest.mark.parametrize(
    "text",
    [
        "GRANT SELECT ON t TO app",
        "ALTER TABLE t OWNER TO app",
        "ALTER TABLE t RENAME TO u",
        "COMMENT ON TABLE t IS 'x'",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO app",
        "SET ROLE app",
        "CREATE POLICY p ON t TO app USING (true)",
        "ALTER SUBSCRIPTION s DISABLE",
        "ALTER SUBSCRIPTION s SET (slot_name = NONE)",
        "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p WITH (enabled = false)",
        "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p WITH (connect = false)",
        # Refused for more than this.
        "ALTER DATABASE shop SET TABLESPACE fast",
    ],
)
def test_what_changes_this_database_alone_is_not(text: str) -> None:
    assert shared(text) == ()


def test_a_database_is_named_where_the_statement_does() -> None:
    (raw,) = parse_sql('ALTER DATABASE "odd name" RESET ALL')
    assert changes_shared_objects(raw.stmt) == "ALTER DATABASE odd name"
