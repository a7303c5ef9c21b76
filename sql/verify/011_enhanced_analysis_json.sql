-- Verifies 011_enhanced_analysis_json: columns and indexes.
--
-- Fails with a list of what is missing or other than written: type, NOT NULL and default of a column, definition of a
-- constraint, definition and validity of an index. Names are looked up on the search path, as in the migration.
-- Objects of later migrations are no fault.
DO $$
DECLARE
    wrong text;
BEGIN
    WITH expected (relation, kind, definitions) AS (VALUES
        ('musical_metadata', 'column', ARRAY[
            'controller_data jsonb', 'articulation_data jsonb', 'structure_data jsonb'
        ]),
        ('musical_metadata', 'index', ARRAY[
            'idx_musical_metadata_articulation_data USING gin (articulation_data)',
            'idx_musical_metadata_controller_data USING gin (controller_data)',
            'idx_musical_metadata_structure_data USING gin (structure_data)'
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
        RAISE EXCEPTION E'Migration 011 is not in place as written; wanted and found:\n%', wrong;
    END IF;
END;
$$;
