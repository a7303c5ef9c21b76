-- Verifies 010_harmonic_analysis: columns, check and indexes.
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
        ('musical_metadata', 'column', ARRAY[
            'has_seventh_chords boolean DEFAULT false COMMENT ''Whether a seventh chord occurs''',
            'has_extended_chords boolean DEFAULT false COMMENT ''Whether a ninth, eleventh or thirteenth chord occurs''',
            'chord_change_rate numeric(5,2) COMMENT ''Mean number of chord changes in a measure, NULL without a meter''',
            'chord_progression jsonb COMMENT ''JSON array of chord names in the order they sound''',
            'chord_types text[] COMMENT ''The qualities of chord that occur, each once''',
            'chord_complexity_score numeric(4,3) COMMENT ''From 0 to 1: triads lie about 0.3, sevenths about 0.6, extended chords at 1'''
        ]),
        ('musical_metadata', 'constraint', ARRAY[
            'musical_metadata_chord_complexity_score_check CHECK (((chord_complexity_score IS NULL) OR ((chord_complexity_score >= (0)::numeric) AND (chord_complexity_score <= (1)::numeric))))'
        ]),
        ('musical_metadata', 'index', ARRAY[
            'idx_chord_complexity USING btree (chord_complexity_score) WHERE (chord_complexity_score IS NOT NULL)',
            'idx_chord_progression USING gin (chord_progression)',
            'idx_chord_types USING gin (chord_types)',
            'idx_has_extended_chords USING btree (has_extended_chords) WHERE (has_extended_chords = true)',
            'idx_has_seventh_chords USING btree (has_seventh_chords) WHERE (has_seventh_chords = true)'
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
        RAISE EXCEPTION E'Migration 010 is not in place as written; wanted and found:\n%', wrong;
    END IF;
END;
$$;
