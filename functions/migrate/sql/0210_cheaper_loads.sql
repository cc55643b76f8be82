-- Contracts: no release in use has reports yet. They load faster: less is computed for each row on the way into a table.

-- As begin_partition(of_table, owner), and the rows' organisation, owner and days are the table's defaults until
-- end_partition: they are the same in every row of the first snapshot.
CREATE FUNCTION rights.begin_partition(of_table text, owner integer, organisation uuid, day date) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    partition text DEFAULT rights.begin_partition(of_table, owner);
BEGIN
    IF partition IS NOT NULL THEN
        EXECUTE format('ALTER TABLE rights.%I ALTER organisation_id SET DEFAULT %L, ALTER owner_id SET DEFAULT %L, '
                       'ALTER first_day SET DEFAULT %L, ALTER changed_day SET DEFAULT %L',
                       partition, organisation, owner, day, day);
    END IF;
    RETURN partition;
END $$;
REVOKE EXECUTE ON FUNCTION rights.begin_partition(text, integer, uuid, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rights.begin_partition(text, integer, uuid, date) TO showrunner_functions;

-- Make the indexes of an owner's table and attach it. Raises unique_violation if two rows have the same key.
-- Attaching waits for the readers of the table, so it comes last.
CREATE OR REPLACE FUNCTION rights.end_partition(of_table text, owner integer) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET maintenance_work_mem = '128MB' AS $$
DECLARE
    partition text DEFAULT of_table || '_' || owner;
    made      record;
BEGIN
    EXECUTE format('ALTER TABLE rights.%I ALTER organisation_id DROP DEFAULT, ALTER owner_id DROP DEFAULT, '
                   'ALTER first_day DROP DEFAULT, ALTER changed_day DROP DEFAULT', partition);
    FOR made IN SELECT pg_get_indexdef(i.indexrelid) AS definition, pg_get_constraintdef(k.oid) AS key
                  FROM pg_index i LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype = 'p'
                 WHERE i.indrelid = format('rights.%I', of_table)::regclass ORDER BY i.indexrelid LOOP
        IF made.key IS NULL THEN
            EXECUTE regexp_replace(made.definition, '^CREATE INDEX \S+ ON ONLY \S+',
                                   format('CREATE INDEX ON rights.%I', partition));
        ELSE
            EXECUTE format('ALTER TABLE rights.%I ADD %s', partition, made.key);
        END IF;
    END LOOP;
    EXECUTE format('ALTER TABLE rights.%I ATTACH PARTITION rights.%I FOR VALUES IN (%s)', of_table, partition, owner);
    EXECUTE format('ALTER TABLE rights.%I DROP CONSTRAINT of_owner', partition);
    EXECUTE format('REVOKE INSERT ON rights.%I FROM showrunner_functions', partition);
END $$;

-- The loader reads a row's month of activity with its day. A generated column had each row written twice in memory.
ALTER TABLE rights.money ALTER COLUMN activity_month DROP EXPRESSION;

-- A cast keeps the words of an index as short as rights.indexable did, in a third of its time.
DROP INDEX rights.claims_filters, rights.videos_filters, rights.assets_filters;
CREATE INDEX claims_filters ON rights.claims USING gin
    (left(claim_status, 200), left(claim_type, 200), left(claim_origin, 200), left(record_label, 200),
     (artist::varchar(200)[]));
CREATE INDEX videos_filters ON rights.videos USING gin
    (left(category, 200), left(video_privacy_status, 200), left(effective_policy, 200),
     (CASE WHEN claimed_by_this_owner THEN 'yes' ELSE 'no' END), (asset_ids::varchar(200)[]));
CREATE INDEX assets_filters ON rights.assets USING gin
    (left(asset_type, 200), left(label, 200), left(match_policy, 200), (artist::varchar(200)[]),
     (asset_labels::varchar(200)[]));
