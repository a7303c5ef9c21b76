# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Migrations whose statements are about the same objects again and again, played with their drafts."""

from __future__ import annotations

import contextlib

import pytest

from benchmarks.drafted import drafted
from benchmarks.drafts import played
from demo.local_server import LocalServer

BEFORE = """
    CREATE TYPE mood AS ENUM ('a', 'b');
    CREATE TABLE empty (id serial PRIMARY KEY, m mood DEFAULT 'a', n varchar(5) DEFAULT 'x' COLLATE "C");
    CREATE INDEX by_n ON empty (n);
    COMMENT ON COLUMN empty.n IS 'told';
    GRANT SELECT (n) ON empty TO PUBLIC;
    CREATE TABLE full_one (id int PRIMARY KEY, of_empty int REFERENCES empty, n int, CONSTRAINT few CHECK (n < 9));
    INSERT INTO full_one VALUES (1, NULL, 2);
    CREATE VIEW seen AS SELECT id, n FROM full_one;
    CREATE FUNCTION twice(a int, b int DEFAULT 2) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a * b';
    CREATE TABLE part (id int PRIMARY KEY, k int) PARTITION BY RANGE (id);
    CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (10);
    CREATE INDEX ON part (k);
    CREATE TABLE log (id int NOT NULL, at date NOT NULL, CONSTRAINT sane CHECK (id > 0)) PARTITION BY RANGE (at);
    CREATE TABLE log_1 (at date NOT NULL, id int NOT NULL, note text, CONSTRAINT sane CHECK (id > 0));
    ALTER TABLE log_1 DROP note;
    CREATE TABLE log_2 PARTITION OF log FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
    INSERT INTO log VALUES (1, '2026-02-02');
    CREATE TABLE mother (id int, CONSTRAINT sane CHECK (id > 0));
    CREATE TABLE child (id int NOT NULL, own text, CONSTRAINT sane CHECK (id > 0));
    CREATE TABLE grandchild () INHERITS (child);
    CREATE TABLE reckoned (id int, gross int GENERATED ALWAYS AS (id * 2) STORED, last int);
    INSERT INTO reckoned VALUES (1, DEFAULT, 3), (2, DEFAULT, 4);
    CREATE INDEX by_gross ON reckoned (gross);
    COMMENT ON COLUMN reckoned.gross IS 'twice';
    CREATE TABLE sorted (a int PRIMARY KEY, b varchar(9));
    CREATE INDEX by_b ON sorted (b);
    CLUSTER sorted USING by_b;
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.b = ''touched''; RETURN NEW; END';
    CREATE TRIGGER touches BEFORE UPDATE ON sorted FOR EACH ROW EXECUTE FUNCTION touch();
    INSERT INTO sorted VALUES (1, 'x'), (2, 'Y');
    CREATE TABLE numbered (id serial, title text NOT NULL);
    INSERT INTO numbered (title) VALUES ('one'), ('two'), ('three');
    CREATE SEQUENCE by_itself;
    CREATE SEQUENCE used;
    SELECT nextval('used');
"""


@pytest.mark.parametrize(
    "migration",
    [
        "ALTER TABLE empty ADD COLUMN x int; CREATE INDEX by_x ON empty (x); DROP TABLE empty CASCADE",
        "ALTER TABLE empty RENAME TO other; ALTER TABLE other ALTER n TYPE text; DROP TABLE other CASCADE",
        "ALTER TABLE empty RENAME n TO o; ALTER TABLE empty ALTER o DROP DEFAULT, ALTER o SET NOT NULL",
        "ALTER TABLE empty DROP COLUMN id CASCADE",
        "ALTER TABLE empty DROP COLUMN n, ADD COLUMN n int",
        "ALTER TABLE empty ALTER n TYPE text, ALTER m DROP DEFAULT",
        "CREATE TABLE new AS SELECT * FROM empty; DROP TABLE empty CASCADE; ALTER TABLE new RENAME TO empty",
        "DROP VIEW seen; ALTER TABLE full_one ALTER n TYPE bigint; CREATE VIEW seen AS SELECT id, n FROM full_one",
        "DROP VIEW seen; DROP TABLE IF EXISTS nothing, empty CASCADE",
        "CREATE OR REPLACE VIEW seen AS SELECT id, n, 1 AS more FROM full_one",
        "CREATE OR REPLACE FUNCTION twice(a int, b int DEFAULT 3) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DROP FUNCTION twice; CREATE FUNCTION twice(a int) RETURNS text LANGUAGE sql AS $$SELECT 'x'$$",
        "ALTER FUNCTION twice(int, int) STRICT VOLATILE COST 7",
        "ALTER TABLE full_one ADD CHECK (n > 0) NOT VALID",
        "ALTER TABLE full_one DROP CONSTRAINT few; ALTER TABLE full_one ADD CONSTRAINT few CHECK (n < 99)",
        "ALTER TABLE full_one DROP CONSTRAINT full_one_pkey, ADD PRIMARY KEY (n)",
        "ALTER TABLE full_one RENAME CONSTRAINT few TO fewer; ALTER TABLE full_one DROP CONSTRAINT fewer",
        "CREATE SCHEMA app; ALTER TABLE empty SET SCHEMA app; ALTER TABLE app.empty ADD COLUMN z int",
        "INSERT INTO full_one VALUES (7, NULL, 3), (8, NULL, 3)",
        "GRANT UPDATE, SELECT ON full_one TO PUBLIC; REVOKE SELECT (n) ON empty FROM PUBLIC",
        "ALTER TABLE full_one ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON full_one USING (n > 1)",
        "ALTER SEQUENCE empty_id_seq INCREMENT 5 OWNED BY NONE",
        "DROP TABLE part_1",
        "DROP TABLE part",
        "ALTER TABLE part DETACH PARTITION part_1",
        "SET search_path = pg_catalog, public; ALTER TABLE empty ADD COLUMN x int; RESET search_path",
        "ALTER TYPE mood ADD VALUE 'c'; CREATE TYPE other AS ENUM (); DROP TYPE other",
        "CREATE TABLE IF NOT EXISTS empty (id int); CREATE INDEX IF NOT EXISTS by_n ON empty (n)",
        "DROP TABLE IF EXISTS nothing; ALTER TABLE IF EXISTS nothing ADD COLUMN a int",
        "ALTER TABLE empty ADD COLUMN IF NOT EXISTS n text, ADD COLUMN IF NOT EXISTS w text",
        "CREATE UNIQUE INDEX u ON full_one (n); ALTER TABLE full_one ADD UNIQUE (n), SET (fillfactor = 50)",
        "COMMENT ON COLUMN empty.n IS E'back\\\\slash and ''quote'''; COMMENT ON TABLE empty IS NULL",
        "ALTER TABLE log ATTACH PARTITION log_1 FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')",
        "ALTER TABLE child INHERIT mother",
        "ALTER TABLE reckoned ALTER gross DROP EXPRESSION; UPDATE reckoned SET id = id, last = last",
        "CLUSTER sorted USING sorted_pkey",
        "CLUSTER sorted; CLUSTER sorted USING sorted_pkey; ALTER TABLE sorted SET WITHOUT CLUSTER",
        "ALTER TABLE sorted DISABLE TRIGGER ALL; UPDATE sorted SET b = b; ALTER TABLE sorted ENABLE TRIGGER ALL",
        "SET LOCAL session_replication_role = replica; UPDATE sorted SET b = b;"
        " SET LOCAL session_replication_role = origin",
        "ALTER TABLE numbered ALTER id DROP DEFAULT; DROP SEQUENCE numbered_id_seq;"
        " ALTER TABLE numbered ALTER id ADD GENERATED BY DEFAULT AS IDENTITY;"
        " SELECT setval(pg_get_serial_sequence('numbered', 'id'), max(id)) FROM numbered",
        "DROP SEQUENCE by_itself",
        "SAVEPOINT s; ALTER TABLE child ADD wrong int; DROP TABLE empty CASCADE; ROLLBACK TO s;"
        " ALTER TABLE empty ADD fine int; RELEASE s",
        "SAVEPOINT s; ALTER TABLE empty RENAME TO other; ROLLBACK TO s; ALTER TABLE empty ADD fine int",
        "CREATE UNIQUE INDEX i ON log_1 (id, at); ALTER TABLE log_1 ADD CONSTRAINT k PRIMARY KEY USING INDEX i",
        "CREATE UNIQUE INDEX i ON child (own); ALTER TABLE child ADD PRIMARY KEY USING INDEX i",
        "CREATE INDEX whole ON ONLY log (id); CREATE INDEX half ON log_2 (id); ALTER INDEX whole ATTACH PARTITION half",
        "CREATE DOMAIN short AS text CHECK (length(VALUE) < 99); ALTER TABLE numbered ALTER title TYPE short",
        "ALTER TABLE numbered ADD n int; PREPARE p (int) AS UPDATE numbered SET n = $1 WHERE id = $1; EXECUTE p (1);"
        " CREATE FUNCTION pg_temp.twice(int) RETURNS int LANGUAGE sql AS 'SELECT $1 * 2';"
        " UPDATE numbered SET n = pg_temp.twice(n); DEALLOCATE p; DROP FUNCTION pg_temp.twice(int)",
        "ALTER TABLE numbered ADD n int; DO $$ DECLARE c int; BEGIN LOOP UPDATE numbered SET n = id WHERE n IS NULL;"
        " GET DIAGNOSTICS c = ROW_COUNT; EXIT WHEN c = 0; END LOOP; END $$",
        "DO $$ BEGIN CREATE TABLE by_block (id int); IF NOT EXISTS (SELECT FROM pg_constraint WHERE conname = 'most')"
        " THEN ALTER TABLE numbered ADD CONSTRAINT most CHECK (id > 0); END IF; END $$",
        "DO $$ BEGIN IF false THEN ALTER TABLE numbered ADD CONSTRAINT never CHECK (id > 0); END IF; END $$",
    ],
)
def test_schema_and_rows_are_what_they_were(server: LocalServer, database: str, migration: str) -> None:
    with contextlib.closing(server.connect(database)) as connection:
        with connection.cursor() as cursor:
            cursor.execute(BEFORE)
        connection.commit()
        done = played(connection, "m", [migration], drafted(server, database, migration))
    assert (done.unfinished, done.wrong, done.misjudged) == ((), "", "")


@pytest.mark.parametrize(
    ("migration", "words"),
    [
        ("DROP TABLE full_one CASCADE", "public.full_one has rows"),
        ("ALTER TABLE full_one DROP COLUMN n CASCADE", "The values of public.full_one.n do not come back"),
        ("ALTER TABLE full_one ALTER n TYPE text USING 'x'", "is not known"),
        ("DROP TYPE mood CASCADE", "CASCADE drops column public.empty.m too"),
        ("SELECT nextval('by_itself')", "calls nextval()"),
        ("UPDATE sorted SET b = b", "Triggers or rules of sorted"),
        (
            "ALTER TABLE sorted ENABLE ALWAYS TRIGGER touches; SET session_replication_role = replica;"
            " UPDATE sorted SET b = b",
            "Triggers or rules of sorted",
        ),
        ("ALTER TABLE part ATTACH PARTITION full_one FOR VALUES FROM (10) TO (20)", "gives full_one indexes"),
        (
            "DO $$ BEGIN IF true THEN ALTER TABLE full_one ADD CONSTRAINT few CHECK (n < 7); END IF; END $$",
            "under a condition",
        ),
        (
            "ALTER TABLE reckoned ALTER gross DROP EXPRESSION; UPDATE reckoned SET gross = 1",
            "UPDATE changes rows",
        ),
        ("DROP SEQUENCE used", "Where the numbers of public.used go on"),
        ("ALTER TABLE sorted ALTER b TYPE int USING 1", "is not known"),
    ],
)
def test_what_is_lost_is_said(server: LocalServer, database: str, migration: str, words: str) -> None:
    with contextlib.closing(server.connect(database)) as connection:
        with connection.cursor() as cursor:
            cursor.execute(BEFORE)
        connection.commit()
    points = drafted(server, database, migration).open_points()
    assert any(words in sentence for _line, sentence in points), points
