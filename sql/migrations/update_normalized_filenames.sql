-- ============================================================================
-- Migration: update_normalized_filenames.sql
-- Rollback: rollback/update_normalized_filenames_rollback.sql
-- Description: Gives files whose names carry white space, invisible characters,
--              several spellings of one letter or an unusual .mid extension a
--              plain name, in files.filename and in the last part of
--              files.filepath. A change of data; the public schema stays as it is.
-- Risk Level: HIGH
-- Data Loss: NONE
-- Requires: 001
-- Transaction: one
-- Files: rename files.filepath
-- ============================================================================
--
-- The rule. A name is brought to Unicode form NFC, so that one visible name has
-- one spelling. Characters that cannot be seen are removed; each run of white
-- space and underscores becomes one underscore, each run of hyphens one hyphen;
-- these separators are cut from both ends of the name proper; the extension
-- .mid or .midi, in any case, becomes .mid. Every visible character stays,
-- whatever its script: '#' tells C# from C, and a name may be nothing but
-- symbols. A name is never empty, and normalising twice is normalising once.
--
-- What is left alone:
--   * folders: only the last part of the path changes, the rest byte for byte;
--   * rows whose path does not end in '/' or '\' and the file name, and is not
--     just the name, and rows whose name itself holds a '/' or '\': which of the
--     two is right cannot be told from the database, so neither is touched;
--   * rows that need no new name: they are not written at all;
--   * updated_at: renaming is not an edit by anybody.
-- The script does not touch the disk. The runbook renames the files there afterwards, where the inventory has a
-- library (step files_rename); elsewhere rename what normalized_filenames.renamed_file lists.
--
-- Two files are never given one path. Resulting paths are compared in full and
-- with all rows; one equal pair stops the migration, which names the pairs: whose
-- name should give way is for a person to say. Names equal but for their case
-- are different paths, here as in the unique constraint on files.filepath, and
-- stay apart; a warning counts them for the sake of disks that ignore case.
--
-- The old names are kept in schema normalized_filenames, which belongs to this
-- migration and goes with its rollback. The database must have encoding UTF8.

BEGIN;

-- It is switched off and on again below; another state could not be given back.
DO $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_trigger
        WHERE tgrelid = to_regclass('files') AND tgname = 'files_updated_at_trigger' AND tgenabled = 'O'
    ) THEN
        RAISE EXCEPTION 'Trigger files_updated_at_trigger is missing or not enabled as migration 001 left it';
    END IF;
END;
$$;

CREATE SCHEMA normalized_filenames;

COMMENT ON SCHEMA normalized_filenames IS
    'Of migration update_normalized_filenames: its rule and the old names; its rollback needs and removes them';

-- The escapes name code points, so that the rule does not vary with the locale.
CREATE FUNCTION normalized_filenames.normalized(name text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
    white_space CONSTANT text :=
        '\u0009-\u000D\u0020\u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000';
    -- Controls, soft hyphen, zero-width space, marks of writing direction, word joiner, byte order
    -- mark. Not the zero-width joiners U+200C and U+200D: Persian and emoji need them to look right.
    invisible   CONSTANT text :=
        '\u0001-\u0008\u000E-\u001F\u007F-\u0084\u0086-\u009F\u00AD\u061C\u200B\u200E\u200F'
        '\u202A-\u202E\u2060\u2066-\u2069\uFEFF';
    cleaned     text;
    parts       text[];
    stem        text;
    extension   text;
BEGIN
    -- NFC comes last: a removed character may have stood between a letter and its accent.
    cleaned := normalize(regexp_replace(name, '[' || invisible || ']', '', 'g'), NFC);
    cleaned := regexp_replace(cleaned, '[' || white_space || '_]+', '_', 'g');
    cleaned := regexp_replace(cleaned, '-+', '-', 'g');

    -- Separators after the extension are cut first, or 'x.MID ' would need a second pass.
    parts := regexp_match(cleaned, '^(.+)\.[mM][iI][dD][iI]?[_-]*$');
    IF parts IS NULL THEN
        stem := cleaned;
        extension := '';
    ELSE
        stem := parts[1];
        extension := '.mid';
    END IF;

    -- A name of nothing but separators keeps them, and '_.' must not turn into the folder '.'.
    IF btrim(stem, '_-') NOT IN ('', '.', '..') THEN
        stem := btrim(stem, '_-');
    END IF;

    -- Nothing but invisible characters, alone or beside the dots of a folder: left as it is.
    IF stem || extension IN ('', '.', '..') THEN
        RETURN name;
    END IF;
    RETURN stem || extension;
END;
$$;

CREATE TABLE normalized_filenames.renamed_file (
    file_id      bigint PRIMARY KEY,
    old_filename text   NOT NULL,
    old_filepath text   NOT NULL,
    new_filename text   NOT NULL,
    new_filepath text   NOT NULL
);

COMMENT ON TABLE normalized_filenames.renamed_file IS
    'Each file that got a new name, with both names; no foreign key, so that files can be deleted as ever';

-- Readers go on; writers wait, so that no row changes between comparing and renaming.
LOCK TABLE files IN SHARE ROW EXCLUSIVE MODE;

INSERT INTO normalized_filenames.renamed_file (file_id, old_filename, old_filepath, new_filename, new_filepath)
SELECT f.id, f.filename, f.filepath, n.new_filename,
       left(f.filepath, length(f.filepath) - length(f.filename)) || n.new_filename
FROM files f
CROSS JOIN LATERAL (
    -- OFFSET 0 keeps the planner from computing the name once for each use of it.
    SELECT normalized_filenames.normalized(f.filename) AS new_filename OFFSET 0
) n
WHERE n.new_filename <> f.filename
  AND f.filename !~ '[/\\]'
  AND (f.filepath = f.filename OR right(f.filepath, length(f.filename) + 1) IN ('/' || f.filename, '\' || f.filename));

DO $$
DECLARE
    total bigint;
    pairs text;
BEGIN
    -- Against every other row, renamed or not. A path that a renamed row is about to give up can
    -- never be wanted: wanted names are normal, given-up names are not. So no order of the rows
    -- in the UPDATE below can meet a passing collision.
    WITH collision AS (
        SELECT r.file_id, r.old_filepath, f.id AS other_id, f.filepath AS other_path
        FROM normalized_filenames.renamed_file r
        JOIN files f ON f.filepath = r.new_filepath AND f.id <> r.file_id
        UNION ALL
        SELECT r.file_id, r.old_filepath, twin.file_id, twin.old_filepath
        FROM normalized_filenames.renamed_file r
        JOIN normalized_filenames.renamed_file twin ON twin.new_filepath = r.new_filepath AND twin.file_id > r.file_id
    ), numbered AS (
        SELECT *, row_number() OVER (ORDER BY file_id, other_id) AS ordinal FROM collision
    )
    SELECT count(*),
           string_agg(format('%s (file %s) and %s (file %s)', old_filepath, file_id, other_path, other_id), '; '
                      ORDER BY ordinal) FILTER (WHERE ordinal <= 10)
    INTO total, pairs
    FROM numbered;

    IF total > 0 THEN
        RAISE EXCEPTION 'Normalised, % pair(s) of files would have the same path; nothing was renamed: %', total, pairs
            USING HINT = 'Rename or remove one file of each pair and deploy again; at most ten pairs are listed.';
    END IF;
END;
$$;

-- Its trigger would set updated_at of each renamed row to now, whatever the statement says.
ALTER TABLE files DISABLE TRIGGER files_updated_at_trigger;

DO $$
DECLARE
    renamed bigint;
    skipped bigint;
    twins   bigint;
BEGIN
    UPDATE files f
    SET filename = r.new_filename, filepath = r.new_filepath
    FROM normalized_filenames.renamed_file r
    WHERE f.id = r.file_id;
    -- In the same block as the UPDATE: the count is gone with the block.
    GET DIAGNOSTICS renamed = ROW_COUNT;

    SELECT count(*) INTO skipped
    FROM files f
    WHERE normalized_filenames.normalized(f.filename) <> f.filename;

    SELECT count(*) INTO twins
    FROM normalized_filenames.renamed_file r
    WHERE EXISTS (SELECT FROM files f WHERE lower(f.filepath) = lower(r.new_filepath) AND f.id <> r.file_id);

    RAISE NOTICE 'Renamed % file(s); left % alone whose path does not end in their file name', renamed, skipped;
    IF twins > 0 THEN
        RAISE WARNING '% renamed file(s) have a path that differs from another file''s only in case', twins;
    END IF;
END;
$$;

ALTER TABLE files ENABLE TRIGGER files_updated_at_trigger;

-- The test before the insert keeps an existing row from using up a sequence value.
INSERT INTO schema_migrations (version, description)
SELECT 'update_normalized_filenames', 'Plain names for files with white space or odd spellings in their names'
WHERE NOT EXISTS (SELECT FROM schema_migrations WHERE version = 'update_normalized_filenames')
ON CONFLICT (version) DO NOTHING;

COMMIT;
