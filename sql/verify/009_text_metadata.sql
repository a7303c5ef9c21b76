-- Verifies 009_text_metadata: columns, indexes, the view and both functions.
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
            'track_names text[] DEFAULT ''{}''::text[] COMMENT ''Texts of the track name events''',
            'copyright text COMMENT ''Text of the copyright event''',
            'instrument_names_text text[] DEFAULT ''{}''::text[] COMMENT ''Texts of the instrument name events (not the program changes)''',
            'markers text[] DEFAULT ''{}''::text[] COMMENT ''Texts of the marker events, such as names of sections''',
            'lyrics text[] DEFAULT ''{}''::text[] COMMENT ''Texts of the lyric events'''
        ]),
        ('files', 'index', ARRAY[
            'idx_files_copyright USING btree (copyright) WHERE (copyright IS NOT NULL)',
            'idx_files_copyright_trgm USING gin (copyright gin_trgm_ops) WHERE (copyright IS NOT NULL)',
            'idx_files_instrument_names_text USING gin (instrument_names_text) WHERE ((instrument_names_text IS NOT NULL) AND (array_length(instrument_names_text, 1) > 0))',
            'idx_files_markers USING gin (markers) WHERE ((markers IS NOT NULL) AND (array_length(markers, 1) > 0))',
            'idx_files_track_names USING gin (track_names) WHERE ((track_names IS NOT NULL) AND (array_length(track_names, 1) > 0))'
        ]),
        ('files_with_text_metadata', 'relation', ARRAY[
            'files_with_text_metadata view COMMENT ''Files in which at least one text event was found'''
        ]),
        ('files_with_text_metadata', 'column', ARRAY[
            'id bigint', 'filename text', 'path text', 'track_names text[]', 'copyright text',
            'instrument_names_text text[]', 'markers text[]', 'lyrics text[]', 'track_count integer',
            'instrument_count integer', 'marker_count integer', 'lyric_line_count integer',
            'created_at timestamp with time zone'
        ])
    ), named (relation) AS (
        SELECT DISTINCT to_regclass(relation)::oid FROM expected
    ), found AS (
        SELECT c.oid AS relation, 'relation' AS kind, relname AS name,
               concat_ws(' ', CASE relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence' END,
                         CASE WHEN relpersistence <> 'p' THEN 'UNLOGGED' END,
                         CASE WHEN relrowsecurity THEN 'ROW LEVEL SECURITY' END,
                         CASE WHEN relforcerowsecurity THEN 'FORCED' END,
                         CASE WHEN relkind = 'r' AND relreplident <> 'd' THEN 'REPLICA IDENTITY ' || relreplident::text END,
                         (SELECT format('AS %s START %s INCREMENT %s MINVALUE %s MAXVALUE %s CACHE %s',
                                        format_type(seqtypid, NULL), seqstart, seqincrement, seqmin, seqmax, seqcache)
                                 || CASE WHEN seqcycle THEN ' CYCLE' ELSE '' END
                          FROM pg_sequence WHERE seqrelid = c.oid),
                         (SELECT format('OWNED BY %s.%s', refobjid::regclass, attname)
                          FROM pg_depend
                          JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid
                          WHERE objid = c.oid AND classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass
                            AND relkind = 'S' AND deptype IN ('a', 'i')),
                         'WITH ' || array_to_string(reloptions, ', '),
                         'COMMENT ' || quote_literal(obj_description(c.oid, 'pg_class'))) AS definition
        FROM pg_class c
        WHERE c.oid IN (TABLE named)
        UNION ALL
        SELECT attrelid, 'column', attname,
               concat_ws(' ', format_type(atttypid, atttypmod),
                         CASE WHEN attcollation <> typcollation THEN 'COLLATE ' || attcollation::regcollation END,
                         CASE WHEN attnotnull THEN 'NOT NULL' END,
                         CASE attidentity WHEN 'a' THEN 'IDENTITY ALWAYS' WHEN 'd' THEN 'IDENTITY' END,
                         CASE attgenerated WHEN '' THEN 'DEFAULT ' ELSE 'GENERATED ' END || pg_get_expr(adbin, adrelid),
                         CASE WHEN attstorage <> typstorage THEN 'STORAGE ' || attstorage::text END,
                         'COMPRESSION ' || nullif(attcompression::text, ''), 'STATISTICS ' || nullif(attstattarget, -1),
                         'WITH ' || array_to_string(attoptions, ', '),
                         'COMMENT ' || quote_literal(col_description(attrelid, attnum)))
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
        RAISE EXCEPTION E'Migration 009 is not in place as written; wanted and found:\n%', wrong;
    END IF;

    SELECT string_agg(format('%s: %s, found %s', e.signature, e.definition, coalesce(f.definition, 'none')), E'\n')
    INTO wrong
    FROM (VALUES
        ('get_text_metadata_stats()',
         '() RETURNS TABLE(metric text, count bigint, percentage numeric) plpgsql STABLE COST 100 COMMENT ''How many files have each kind of text event, and their share in percent'' BODY 229a58e7ece7c899'),
        ('search_files_by_text_metadata(text,text,text,text,boolean,integer,integer)',
         '(p_track_name text DEFAULT NULL::text, p_copyright_search text DEFAULT NULL::text, p_instrument_name text DEFAULT NULL::text, p_marker text DEFAULT NULL::text, p_has_lyrics boolean DEFAULT NULL::boolean, p_limit integer DEFAULT 100, p_offset integer DEFAULT 0) RETURNS TABLE(id bigint, filename text, path text, track_names text[], copyright text, instrument_names_text text[], markers text[], has_lyrics boolean, created_at timestamp with time zone) plpgsql STABLE COST 100 COMMENT ''Files whose text events meet all criteria given; NULL means any. Newest first'' BODY f98be5a1e4755d71')
    ) AS e (signature, definition)
    LEFT JOIN LATERAL (
        -- Of the body a digest: it is compared to the byte.
        SELECT concat_ws(' ', format('(%s) RETURNS %s', pg_get_function_arguments(p.oid), pg_get_function_result(p.oid)),
                         lanname, CASE provolatile WHEN 'i' THEN 'IMMUTABLE' WHEN 's' THEN 'STABLE' ELSE 'VOLATILE' END,
                         CASE WHEN proisstrict THEN 'STRICT' END, CASE WHEN prosecdef THEN 'SECURITY DEFINER' END,
                         CASE WHEN proleakproof THEN 'LEAKPROOF' END,
                         CASE proparallel WHEN 's' THEN 'PARALLEL SAFE' WHEN 'r' THEN 'PARALLEL RESTRICTED' END,
                         'COST ' || procost, 'SET ' || array_to_string(proconfig, ', '),
                         'COMMENT ' || quote_literal(obj_description(p.oid, 'pg_proc')),
                         'BODY ' || left(encode(sha256(convert_to(replace(prosrc, E'\r', ''), 'UTF8')), 'hex'), 16)
               ) AS definition
        FROM pg_proc p
        JOIN pg_language l ON l.oid = prolang
        WHERE p.oid = to_regprocedure(e.signature)
    ) f ON true
    WHERE f.definition IS DISTINCT FROM e.definition;

    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION E'Functions of migration 009 are not as written; wanted and found:\n%', wrong;
    END IF;

    -- PostgreSQL writes each as it is and as it was written, so that neither its version nor spaces matter.
    CREATE TEMPORARY VIEW as_written AS
    SELECT f.id,
           f.filename,
           f.filepath AS path,
           f.track_names,
           f.copyright,
           f.instrument_names_text,
           f.markers,
           f.lyrics,
           array_length(f.track_names, 1) AS track_count,
           array_length(f.instrument_names_text, 1) AS instrument_count,
           array_length(f.markers, 1) AS marker_count,
           array_length(f.lyrics, 1) AS lyric_line_count,
           f.created_at
    FROM files f
    WHERE f.copyright IS NOT NULL
       OR array_length(f.track_names, 1) > 0
       OR array_length(f.instrument_names_text, 1) > 0
       OR array_length(f.markers, 1) > 0
       OR array_length(f.lyrics, 1) > 0;
    IF pg_get_viewdef(to_regclass('pg_temp.as_written')) IS DISTINCT FROM pg_get_viewdef(to_regclass('files_with_text_metadata')) THEN
        RAISE EXCEPTION E'View files_with_text_metadata is not as written, but:\n%', pg_get_viewdef(to_regclass('files_with_text_metadata'));
    END IF;
    DROP VIEW pg_temp.as_written;

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
