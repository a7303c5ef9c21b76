-- Verifies update_normalized_filenames: the record of old names, and that no name was left that the rule would change.
--
-- Fails with a list of what is missing or other than written: type, NOT NULL and default of a column, definition of a
-- constraint, definition and validity of an index. Names are looked up on the search path, as in the migration.
-- Objects of later migrations are no fault.
DO $$
DECLARE
    wrong text;
BEGIN
    WITH expected (relation, kind, definitions) AS (VALUES
        ('normalized_filenames.renamed_file', 'column', ARRAY[
            'file_id bigint NOT NULL', 'old_filename text NOT NULL', 'old_filepath text NOT NULL',
            'new_filename text NOT NULL', 'new_filepath text NOT NULL'
        ]),
        ('normalized_filenames.renamed_file', 'constraint', ARRAY[
            'renamed_file_pkey PRIMARY KEY (file_id)'
        ]),
        ('files', 'trigger', ARRAY[
            'files_search_vector_trigger BEFORE INSERT OR UPDATE ON files FOR EACH ROW EXECUTE FUNCTION files_search_vector_update()',
            'files_updated_at_trigger BEFORE UPDATE ON files FOR EACH ROW EXECUTE FUNCTION update_updated_at_column()'
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
        UNION ALL
        SELECT tgrelid, 'trigger', tgname,
               concat_ws(' ', substring(pg_get_triggerdef(oid, true) FROM '(?:BEFORE|AFTER) .*'),
                         CASE WHEN tgenabled <> 'O' THEN '(disabled)' END)
        FROM pg_trigger
        WHERE NOT tgisinternal
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
