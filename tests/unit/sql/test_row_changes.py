# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which statements may change rows, columns, tables, their names or keys."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.row_changes import may_change_rows
from pglast import parse_sql

HARMLESS = """
ALTER INDEX i SET (fillfactor = 70)
ALTER INDEX i RENAME TO j
ALTER STATISTICS s SET STATISTICS 100
ALTER TABLE t ALTER COLUMN a SET STATISTICS 100
ALTER TABLE t SET (fillfactor = 70)
ALTER TABLE t VALIDATE CONSTRAINT c
ALTER TYPE mood ADD VALUE 'calm'
ANALYZE t
COMMENT ON TABLE t IS 'x'
CREATE INDEX i ON t (a)
CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)
DROP INDEX i
DROP INDEX CONCURRENTLY i
DROP STATISTICS s
LOCK TABLE t IN SHARE MODE
REINDEX INDEX i
SELECT 'nothing to do', 1
SET LOCAL work_mem = '8MB'
VACUUM t"""

CHANGES = """
ALTER SEQUENCE s RESTART
ALTER TABLE t ADD COLUMN a int
ALTER TABLE t ALTER COLUMN a TYPE text
ALTER TABLE t DROP COLUMN a
ALTER TABLE t DROP CONSTRAINT t_pkey
ALTER TABLE t RENAME COLUMN a TO b
ALTER TABLE t RENAME TO u
ALTER TABLE t SET SCHEMA other
ALTER TABLE t SET (fillfactor = 70), DROP COLUMN a
ALTER TYPE mood RENAME VALUE 'a' TO 'b'
CALL p()
CREATE TABLE u AS SELECT * FROM t
DELETE FROM t
DO $$ BEGIN DELETE FROM t; END $$
DROP FUNCTION f()
DROP INDEX i CASCADE
DROP TABLE t
DROP TYPE mood CASCADE
INSERT INTO t VALUES (1)
SELECT f()
SELECT
SELECT a
SELECT 1 INTO t
SELECT 1 FROM f()
SELECT 'x'::regclass
TRUNCATE t
UPDATE t SET a = 1
WITH gone AS (DELETE FROM t RETURNING *) SELECT count(*) FROM gone"""


@pytest.mark.parametrize("statement", HARMLESS.strip().splitlines())
def test_statements_that_leave_rows_and_their_places_alone(statement: str) -> None:
    assert not may_change_rows(parse_sql(statement)[0].stmt)


@pytest.mark.parametrize("statement", CHANGES.strip().splitlines())
def test_statements_that_may_change_them(statement: str) -> None:
    assert may_change_rows(parse_sql(statement)[0].stmt)
