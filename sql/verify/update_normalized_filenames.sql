-- Verifies update_normalized_filenames: the record of old names, and that no name was left that the rule would change.
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
        ('normalized_filenames.renamed_file', 'relation', ARRAY[
            'renamed_file table COMMENT ''Each file that got a new name, with both names; no foreign key, so that files can be deleted as ever'''
        ]),
        ('normalized_filenames.renamed_file', 'column', ARRAY[
            'file_id bigint NOT NULL', 'old_filename text NOT NULL', 'old_filepath text NOT NULL',
            'new_filename text NOT NULL', 'new_filepath text NOT NULL'
        ]),
        ('normalized_filenames.renamed_file', 'constraint', ARRAY[
            'renamed_file_pkey PRIMARY KEY (file_id)'
        ]),
        ('normalized_filenames.renamed_file', 'index', ARRAY[
            'renamed_file_pkey UNIQUE USING btree (file_id)'
        ]),
        ('files', 'trigger', ARRAY[
            'files_search_vector_trigger BEFORE INSERT OR UPDATE ON files FOR EACH ROW EXECUTE FUNCTION files_search_vector_update()',
            'files_updated_at_trigger BEFORE UPDATE ON files FOR EACH ROW EXECUTE FUNCTION update_updated_at_column()'
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
        UNION ALL
        SELECT tgrelid, 'trigger', tgname,
               concat_ws(' ', substring(pg_get_triggerdef(oid, true) FROM '(?:BEFORE|AFTER) .*'),
                         CASE WHEN tgenabled <> 'O' THEN '(disabled)' END,
                         'COMMENT ' || quote_literal(obj_description(oid, 'pg_trigger')))
        FROM pg_trigger
        WHERE NOT tgisinternal AND tgrelid IN (TABLE named)
    )
    SELECT string_agg(format('%s of %s: %s, found %s', e.kind, e.relation, wanted, coalesce(f.definition, 'none')), E'\n')
    INTO wrong
    FROM expected e
    CROSS JOIN LATERAL unnest(e.definitions) AS wanted
    LEFT JOIN found f
        ON f.relation = to_regclass(e.relation) AND f.kind = e.kind AND f.name = split_part(wanted, ' ', 1)
    WHERE concat_ws(' ', f.name, f.definition) IS DISTINCT FROM wanted;

    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION E'Migration update_normalized_filenames is not in place as written; wanted and found:\n%', wrong;
    END IF;

    SELECT string_agg(format('%s: %s, found %s', e.signature, e.definition, coalesce(f.definition, 'none')), E'\n')
    INTO wrong
    FROM (VALUES
        ('normalized_filenames.normalized(text)',
         '(name text) RETURNS text plpgsql IMMUTABLE STRICT COST 100 BODY 9798e917ae612129')
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
        RAISE EXCEPTION E'Functions of migration update_normalized_filenames are not as written; wanted and found:\n%', wrong;
    END IF;

    IF obj_description(to_regnamespace('normalized_filenames'), 'pg_namespace') IS DISTINCT FROM
       'Of migration update_normalized_filenames: its rule and the old names; its rollback needs and removes them' THEN
        RAISE EXCEPTION 'The comment of schema normalized_filenames is not the one of update_normalized_filenames';
    END IF;

    SELECT string_agg(format('%L gives %L, not %L', given, normalized_filenames.normalized(given), wanted), '; ')
    INTO wrong
    FROM (VALUES
        ('plain.mid', 'plain.mid'), ('My Song.MIDI', 'My_Song.mid'), ('x.MID ', 'x.mid'), ('six .mid', 'six.mid'),
        ('-_lead_-.mid', 'lead.mid'), ('???', '???'), ('___.mid', '_.mid'), ('日本語.mid', '日本語.mid'),
        (U&'Cafe\0301.mid', U&'Caf\00E9.mid'), (U&'\FB01nal.mid', U&'\FB01nal.mid'), ('', '')
    ) AS example (given, wanted)
    WHERE normalized_filenames.normalized(given) IS DISTINCT FROM wanted;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'The rule for names is not the one of update_normalized_filenames: %', wrong;
    END IF;

    IF EXISTS (
        SELECT FROM normalized_filenames.renamed_file
        WHERE new_filename = old_filename OR normalized_filenames.normalized(new_filename) <> new_filename
           OR left(old_filepath, length(old_filepath) - length(old_filename))
              <> left(new_filepath, length(new_filepath) - length(new_filename))
    ) THEN
        RAISE EXCEPTION 'A recorded new name is not normal, or a folder was changed with it';
    END IF;

    -- Files that came or were renamed after the migration are not its business: it left created_at and
    -- updated_at of what it saw before its own time.
    SELECT string_agg(filepath, '; ') INTO wrong
    FROM (
        SELECT f.filepath
        FROM files f
        WHERE greatest(f.created_at, f.updated_at) <= coalesce(
                  (SELECT applied_at FROM schema_migrations WHERE version = 'update_normalized_filenames'), now())
          AND f.filename !~ '[/\\]'
          AND (f.filepath = f.filename
               OR right(f.filepath, length(f.filename) + 1) IN ('/' || f.filename, '\' || f.filename))
          AND normalized_filenames.normalized(f.filename) <> f.filename
        LIMIT 10
    ) left_behind;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'These files still have names that the rule would change: %', wrong;
    END IF;
END;
$$;
