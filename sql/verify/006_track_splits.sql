-- Verifies 006_track_splits: the table, its constraints and indexes.
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
        ('track_splits', 'relation', ARRAY[
            'track_splits table COMMENT ''Which single-track file was cut out of which track of which file'''
        ]),
        ('track_splits', 'column', ARRAY[
            'parent_file_id bigint NOT NULL COMMENT ''The file with several tracks; the split goes when it goes''',
            'split_file_id bigint NOT NULL COMMENT ''The file with the one track; the split goes when it goes''',
            'track_number integer NOT NULL COMMENT ''Position of the track in the parent, counted from 0''',
            'track_name text COMMENT ''Text of the track name event, NULL without one''',
            'instrument text COMMENT ''Name of the instrument, NULL when unknown''',
            'note_count integer COMMENT ''How many note-on events the track has''',
            'id bigint NOT NULL DEFAULT nextval(''track_splits_id_seq''::regclass) COMMENT ''Number of the split, without further meaning''',
            'created_at timestamp without time zone DEFAULT now() COMMENT ''When the split was recorded'''
        ]),
        ('track_splits', 'constraint', ARRAY[
            'chk_note_count_positive CHECK (((note_count IS NULL) OR (note_count >= 0)))',
            'chk_track_number_positive CHECK ((track_number >= 0))',
            'track_splits_parent_file_id_fkey FOREIGN KEY (parent_file_id) REFERENCES files(id) ON DELETE CASCADE',
            'track_splits_pkey PRIMARY KEY (id)',
            'track_splits_split_file_id_fkey FOREIGN KEY (split_file_id) REFERENCES files(id) ON DELETE CASCADE',
            'uq_parent_split_pair UNIQUE (parent_file_id, split_file_id)'
        ]),
        ('track_splits', 'index', ARRAY[
            'idx_track_splits_instrument USING btree (instrument) WHERE (instrument IS NOT NULL)',
            'idx_track_splits_parent_file_id USING btree (parent_file_id)',
            'idx_track_splits_parent_track_number USING btree (parent_file_id, track_number)',
            'idx_track_splits_split_file_id USING btree (split_file_id)',
            'track_splits_pkey UNIQUE USING btree (id)',
            'uq_parent_split_pair UNIQUE USING btree (parent_file_id, split_file_id)'
        ]),
        ('track_splits_id_seq', 'relation', ARRAY[
            'track_splits_id_seq sequence AS bigint START 1 INCREMENT 1 MINVALUE 1 MAXVALUE 9223372036854775807 CACHE 1 OWNED BY track_splits.id'
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
        RAISE EXCEPTION E'Migration 006 is not in place as written; wanted and found:\n%', wrong;
    END IF;
END;
$$;
