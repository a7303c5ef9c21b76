-- Verifies 006_track_splits: the table, its constraints and indexes.
--
-- Fails with a list of what is missing or other than written: type, NOT NULL and default of a column, definition of a
-- constraint, definition and validity of an index. Names are looked up on the search path, as in the migration.
-- Objects of later migrations are no fault.
DO $$
DECLARE
    wrong text;
BEGIN
    WITH expected (relation, kind, definitions) AS (VALUES
        ('track_splits', 'column', ARRAY[
            'id bigint NOT NULL DEFAULT nextval(''track_splits_id_seq''::regclass)', 'parent_file_id bigint NOT NULL',
            'split_file_id bigint NOT NULL', 'track_number integer NOT NULL', 'track_name text', 'instrument text',
            'note_count integer', 'created_at timestamp without time zone DEFAULT now()'
        ]),
        ('track_splits', 'constraint', ARRAY[
            'track_splits_pkey PRIMARY KEY (id)',
            'uq_parent_split_pair UNIQUE (parent_file_id, split_file_id)',
            'track_splits_parent_file_id_fkey FOREIGN KEY (parent_file_id) REFERENCES files(id) ON DELETE CASCADE',
            'track_splits_split_file_id_fkey FOREIGN KEY (split_file_id) REFERENCES files(id) ON DELETE CASCADE',
            'chk_note_count_positive CHECK (((note_count IS NULL) OR (note_count >= 0)))',
            'chk_track_number_positive CHECK ((track_number >= 0))'
        ]),
        ('track_splits', 'index', ARRAY[
            'idx_track_splits_instrument USING btree (instrument) WHERE (instrument IS NOT NULL)',
            'idx_track_splits_parent_file_id USING btree (parent_file_id)',
            'idx_track_splits_parent_track_number USING btree (parent_file_id, track_number)',
            'idx_track_splits_split_file_id USING btree (split_file_id)'
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
        RAISE EXCEPTION E'Migration 006 is not in place as written; wanted and found:\n%', wrong;
    END IF;
END;
$$;
