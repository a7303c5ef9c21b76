-- Verifies 009_text_metadata: columns, indexes, the view and both functions.
--
-- Fails with a list of what is missing or other than written: type, NOT NULL and default of a column, definition of a
-- constraint, definition and validity of an index. Names are looked up on the search path, as in the migration.
-- Objects of later migrations are no fault.
DO $$
DECLARE
    wrong text;
BEGIN
    WITH expected (relation, kind, definitions) AS (VALUES
        ('files', 'column', ARRAY[
            'track_names text[] DEFAULT ''{}''::text[]', 'copyright text',
            'instrument_names_text text[] DEFAULT ''{}''::text[]', 'markers text[] DEFAULT ''{}''::text[]',
            'lyrics text[] DEFAULT ''{}''::text[]'
        ]),
        ('files', 'index', ARRAY[
            'idx_files_copyright USING btree (copyright) WHERE (copyright IS NOT NULL)',
            'idx_files_copyright_trgm USING gin (copyright gin_trgm_ops) WHERE (copyright IS NOT NULL)',
            'idx_files_instrument_names_text USING gin (instrument_names_text) WHERE ((instrument_names_text IS NOT NULL) AND (array_length(instrument_names_text, 1) > 0))',
            'idx_files_markers USING gin (markers) WHERE ((markers IS NOT NULL) AND (array_length(markers, 1) > 0))',
            'idx_files_track_names USING gin (track_names) WHERE ((track_names IS NOT NULL) AND (array_length(track_names, 1) > 0))'
        ]),
        ('files_with_text_metadata', 'column', ARRAY[
            'id bigint', 'filename text', 'path text', 'track_names text[]', 'copyright text',
            'instrument_names_text text[]', 'markers text[]', 'lyrics text[]', 'track_count integer',
            'instrument_count integer', 'marker_count integer', 'lyric_line_count integer',
            'created_at timestamp with time zone'
        ])
    ), found AS (
        SELECT attrelid AS relation, 'column' AS kind, attname AS name,
               concat_ws(' ', format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN 'NOT NULL' END,
                         'DEFAULT ' || pg_get_expr(adbin, adrelid)) AS definition
        FROM pg_attribute
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE attnum > 0 AND NOT attisdropped
        UNION ALL
        -- Says NOT VALID and NOT ENFORCED where a constraint is.
        SELECT conrelid, 'constraint', conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid <> 0
        UNION ALL
        SELECT indrelid, 'index', relname,
               concat_ws(' ', CASE WHEN indisunique THEN 'UNIQUE' END, substring(pg_get_indexdef(indexrelid) FROM 'USING .*'),
                         CASE WHEN NOT (indisvalid AND indisready AND indislive) THEN '(invalid)' END)
        FROM pg_index
        JOIN pg_class ON pg_class.oid = indexrelid
    )
    SELECT string_agg(format('%s of %s: %s, found %s', e.kind, e.relation, wanted, coalesce(f.definition, 'none')), E'\n')
    INTO wrong
    FROM expected e
    CROSS JOIN LATERAL unnest(e.definitions) AS wanted
    LEFT JOIN found f
        ON f.relation = to_regclass(e.relation) AND f.kind = e.kind AND f.name = split_part(wanted, ' ', 1)
    WHERE concat_ws(' ', f.name, f.definition) IS DISTINCT FROM wanted;

    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION E'Migration 009 is not in place as written; wanted and found:\n%', wrong;
    END IF;

    SELECT string_agg(format('%s returning %s, found %s', e.signature, e.result,
                             coalesce(pg_get_function_arguments(p.oid) || ' returning ' || pg_get_function_result(p.oid)
                                      || ' ' || lower(l.lanname) || ' ' || p.provolatile::text, 'none')), E'\n')
    INTO wrong
    FROM (VALUES
        ('search_files_by_text_metadata(text,text,text,text,boolean,integer,integer)',
         'p_track_name text DEFAULT NULL::text, p_copyright_search text DEFAULT NULL::text, p_instrument_name text DEFAULT NULL::text, p_marker text DEFAULT NULL::text, p_has_lyrics boolean DEFAULT NULL::boolean, p_limit integer DEFAULT 100, p_offset integer DEFAULT 0',
         'TABLE(id bigint, filename text, path text, track_names text[], copyright text, instrument_names_text text[], markers text[], has_lyrics boolean, created_at timestamp with time zone)',
         's'),
        ('get_text_metadata_stats()', '', 'TABLE(metric text, count bigint, percentage numeric)', 's')
    ) AS e (signature, arguments, result, volatility)
    LEFT JOIN pg_proc p ON p.oid = to_regprocedure(e.signature)
    LEFT JOIN pg_language l ON l.oid = p.prolang
    WHERE (pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), p.provolatile::text, l.lanname::text)
        IS DISTINCT FROM (e.arguments, e.result, e.volatility, 'plpgsql');

    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION E'Functions of migration 009 are not as written; wanted and found:\n%', wrong;
    END IF;

    PERFORM FROM files_with_text_metadata LIMIT 1;
    IF (SELECT count(*) FROM get_text_metadata_stats()) <> 7 THEN
        RAISE EXCEPTION 'get_text_metadata_stats() does not return seven lines';
    END IF;
    -- The two answers must part the files: one that says NULL would be found by neither.
    IF EXISTS (SELECT FROM search_files_by_text_metadata(p_has_lyrics => false, p_limit => 1) WHERE has_lyrics IS NOT FALSE)
       OR EXISTS (SELECT FROM search_files_by_text_metadata(p_has_lyrics => true, p_limit => 1) WHERE has_lyrics IS NOT TRUE)
       OR EXISTS (SELECT FROM files WHERE lyrics = '{}')
          AND NOT EXISTS (SELECT FROM search_files_by_text_metadata(p_has_lyrics => false, p_limit => 1)) THEN
        RAISE EXCEPTION 'search_files_by_text_metadata() does not tell files with lyrics from files without';
    END IF;
END;
$$;
