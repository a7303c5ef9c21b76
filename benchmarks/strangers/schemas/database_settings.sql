-- Settings of the database and of roles in it, and functions that read them.
CREATE TABLE t (at timestamptz DEFAULT '2020-06-01 12:00'::timestamptz, s varchar(3) CHECK (s IN ('a', 'b')));
CREATE SCHEMA app; CREATE TABLE app.u (id int CHECK (id IN (1, 2)));
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = app, public', current_database()); EXECUTE format('ALTER DATABASE %I SET DateStyle = %L', current_database(), 'SQL, DMY'); EXECUTE format('ALTER DATABASE %I SET TimeZone = %L', current_database(), 'Asia/Tokyo'); END $$;
-- Fault: ALTER TABLE t ALTER at SET DEFAULT '2020-06-01 12:00:01'::timestamptz
