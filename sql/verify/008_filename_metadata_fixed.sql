-- Verifies 008_filename_metadata_fixed: columns, checks and indexes.
--
-- Fails with a list of what is missing or other than written, whatever PostgreSQL knows of it: definition, validity and
-- comment. Owners and privileges are the database's and not looked at. Names are looked up on the search path, as in the
-- migration.
-- Objects of later migrations are no fault.
DO $$
DECLARE
    wrong text;
BEGIN
    WITH expected (relation, kind, definitions) AS (VALUES
        ('files', 'column', ARRAY[
            'filename_bpm real', 'filename_key text', 'filename_genres text[]', 'structure_tags text[]',
            'metadata_source text DEFAULT ''none''::text'
        ]),
        ('files', 'constraint', ARRAY[
            'files_filename_bpm_check CHECK (((filename_bpm IS NULL) OR ((filename_bpm >= (30)::double precision) AND (filename_bpm <= (300)::double precision))))',
            'files_filename_key_check CHECK (((filename_key IS NULL) OR ((length(filename_key) >= 1) AND (length(filename_key) <= 3))))',
            'files_metadata_source_check CHECK ((metadata_source = ANY (ARRAY[''analyzed''::text, ''filename''::text, ''both''::text, ''none''::text, ''validated''::text])))'
        ]),
        ('files', 'index', ARRAY[
            'idx_files_filename_bpm USING btree (filename_bpm) WHERE (filename_bpm IS NOT NULL)',
            'idx_files_filename_genres USING gin (filename_genres) WHERE ((filename_genres IS NOT NULL) AND (array_length(filename_genres, 1) > 0))',
            'idx_files_filename_key USING btree (filename_key) WHERE (filename_key IS NOT NULL)',
            'idx_files_metadata_source USING btree (metadata_source)',
            'idx_files_structure_tags USING gin (structure_tags) WHERE ((structure_tags IS NOT NULL) AND (array_length(structure_tags, 1) > 0))'
        ])
    ), named (relation) AS (
        SELECT DISTINCT to_regclass(relation)::oid FROM expected
    ), found AS (
        SELECT attrelid AS relation, 'column' AS kind, attname AS name,
               concat_ws(' ', format_type(atttypid, atttypmod),
                         CASE WHEN attcollation <> typcollation THEN 'COLLATE ' || attcollation::regcollation END,
                         CASE WHEN attnotnull THEN 'NOT NULL' END,
                         CASE attidentity WHEN 'a' THEN 'IDENTITY ALWAYS' WHEN 'd' THEN 'IDENTITY' END,
                         CASE attgenerated WHEN '' THEN 'DEFAULT ' ELSE 'GENERATED ' END || pg_get_expr(adbin, adrelid),
                         CASE WHEN attstorage <> typstorage THEN 'STORAGE ' || attstorage::text END,
                         'COMPRESSION ' || nullif(attcompression::text, ''), 'STATISTICS ' || nullif(attstattarget, -1),
                         'WITH ' || array_to_string(attoptions, ', '),
                         'COMMENT ' || quote_literal(col_description(attrelid, attnum))) AS definition
        FROM pg_attribute
        JOIN pg_type ON pg_type.oid = atttypid
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE attnum > 0 AND NOT attisdropped AND attrelid IN (TABLE named)
        UNION ALL
        -- Says NOT VALID and NOT ENFORCED where a constraint is.
        SELECT conrelid, 'constraint', conname,
               concat_ws(' ', pg_get_constraintdef(oid),
                         CASE WHEN EXISTS (SELECT FROM pg_trigger WHERE tgconstraint = o.oid AND tgenabled <> 'O')
                             THEN '(disabled)' END,
                         'COMMENT ' || quote_literal(obj_description(oid, 'pg_constraint')))
        FROM pg_constraint o
        WHERE conrelid IN (TABLE named)
        UNION ALL
        -- Those of keys too.
        SELECT indrelid, 'index', relname,
               concat_ws(' ', CASE WHEN indisunique THEN 'UNIQUE' END, substring(pg_get_indexdef(indexrelid) FROM 'USING .*'),
                         CASE WHEN NOT (indisvalid AND indisready AND indislive) THEN '(invalid)' END,
                         CASE WHEN indisclustered THEN 'CLUSTER' END, CASE WHEN indisreplident THEN 'REPLICA IDENTITY' END,
                         'COMMENT ' || quote_literal(obj_description(indexrelid, 'pg_class')))
        FROM pg_index
        JOIN pg_class ON pg_class.oid = indexrelid
        WHERE indrelid IN (TABLE named)
    )
    SELECT string_agg(format('%s of %s: %s, found %s', e.kind, e.relation, wanted, coalesce(f.definition, 'none')), E'\n')
    INTO wrong
    FROM expected e
    CROSS JOIN LATERAL unnest(e.definitions) AS wanted
    LEFT JOIN found f
        ON f.relation = to_regclass(e.relation) AND f.kind = e.kind AND f.name = split_part(wanted, ' ', 1)
    WHERE concat_ws(' ', f.name, f.definition) IS DISTINCT FROM wanted;

    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION E'Migration 008 is not in place as written; wanted and found:\n%', wrong;
    END IF;
END;
$$;
