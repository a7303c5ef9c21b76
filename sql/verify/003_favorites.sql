-- Verifies 003_favorites: the table, its constraints and indexes.
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
        ('favorites', 'relation', ARRAY[
            'favorites table COMMENT ''Files that the user marked with a star'''
        ]),
        ('favorites', 'column', ARRAY[
            'file_id bigint NOT NULL COMMENT ''The file with the star''',
            'id bigint NOT NULL DEFAULT nextval(''favorites_id_seq''::regclass)',
            'created_at timestamp with time zone DEFAULT now()'
        ]),
        ('favorites', 'constraint', ARRAY[
            'favorites_file_id_fkey FOREIGN KEY (file_id) REFERENCES files(id) ON DELETE CASCADE',
            'favorites_file_id_key UNIQUE (file_id)',
            'favorites_pkey PRIMARY KEY (id)'
        ]),
        ('favorites', 'index', ARRAY[
            'favorites_file_id_key UNIQUE USING btree (file_id)',
            'favorites_pkey UNIQUE USING btree (id)',
            'idx_favorites_created_at USING btree (created_at DESC)',
            'idx_favorites_file_id USING btree (file_id)'
        ]),
        ('favorites_id_seq', 'relation', ARRAY[
            'favorites_id_seq sequence AS bigint START 1 INCREMENT 1 MINVALUE 1 MAXVALUE 9223372036854775807 CACHE 1 OWNED BY favorites.id'
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
        RAISE EXCEPTION E'Migration 003 is not in place as written; wanted and found:\n%', wrong;
    END IF;
END;
$$;
