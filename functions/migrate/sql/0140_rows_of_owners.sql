-- Contracts: no name is taken away; each table of snapshots becomes the default partition of a table of its name.

-- A content owner's first snapshot has a million rows, and writing them into eight indexes one by one takes four times
-- as long as making the indexes afterwards. So its rows get a partition, which is attached when it is complete.
-- Owners from before this file stay in the default partition.
DO $$
DECLARE
    of_table text;
    made     record;
BEGIN
    FOREACH of_table IN ARRAY ARRAY['claims', 'assets', 'conflicts', 'videos', 'reference_files'] LOOP
        CREATE TEMP TABLE before_partitions ON COMMIT DROP AS
        SELECT c.relname AS name, pg_get_indexdef(i.indexrelid) AS definition,
               (SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k WHERE k.conindid = i.indexrelid) AS key
          FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
         WHERE i.indrelid = format('rights.%I', of_table)::regclass;
        EXECUTE format('ALTER TABLE rights.%I RENAME TO %I', of_table, of_table || '_others');
        EXECUTE format('CREATE TABLE rights.%I (LIKE rights.%I INCLUDING ALL EXCLUDING INDEXES) '
                       'PARTITION BY LIST (owner_id)', of_table, of_table || '_others');
        EXECUTE format('ALTER TABLE rights.%I ATTACH PARTITION rights.%I DEFAULT', of_table, of_table || '_others');
        FOR made IN SELECT * FROM pg_temp.before_partitions LOOP
            EXECUTE format('ALTER INDEX rights.%I RENAME TO %I', made.name, made.name || '_others');
            -- The default partition has an index like it already, which becomes a part of this one.
            IF made.key IS NULL THEN
                EXECUTE made.definition;
            ELSE
                EXECUTE format('ALTER TABLE rights.%I ADD CONSTRAINT %I %s', of_table, made.name, made.key);
            END IF;
        END LOOP;
        DROP TABLE pg_temp.before_partitions;
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON rights.%I TO showrunner_functions', of_table);
        EXECUTE format('REVOKE ALL ON rights.%I FROM showrunner_functions', of_table || '_others');
    END LOOP;
END $$;

-- Make the table for an owner's first rows, without indexes and not yet attached. Returns its name, NULL if the owner
-- has a partition.
CREATE FUNCTION rights.begin_partition(of_table text, owner integer) RETURNS text LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    partition text DEFAULT of_table || '_' || owner;
BEGIN
    IF of_table NOT IN ('claims', 'assets', 'conflicts', 'videos', 'reference_files') THEN
        RAISE EXCEPTION 'rights.% has no partitions of owners', of_table;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('rights.' || partition, 0));
    IF to_regclass(format('rights.%I', partition)) IS NOT NULL THEN
        RETURN NULL;
    END IF;
    EXECUTE format('CREATE TABLE rights.%I (LIKE rights.%I INCLUDING ALL EXCLUDING INDEXES)', partition, of_table);
    -- Proves to ATTACH that it need not read the rows.
    EXECUTE format('ALTER TABLE rights.%I ADD CONSTRAINT of_owner CHECK (owner_id = %s)', partition, owner);
    -- Until it is attached: then it is used through its table only.
    EXECUTE format('GRANT INSERT ON rights.%I TO showrunner_functions', partition);
    RETURN partition;
END $$;

-- Make the indexes of an owner's table and attach it. Raises unique_violation if two rows have the same key.
-- Attaching waits for the readers of the table, so it comes last.
CREATE FUNCTION rights.end_partition(of_table text, owner integer) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET maintenance_work_mem = '128MB' AS $$
DECLARE
    partition text DEFAULT of_table || '_' || owner;
    made      record;
BEGIN
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

-- Drop the partitions of an owner that is removed.
CREATE FUNCTION rights.drop_partitions(owner integer) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    of_table text;
BEGIN
    FOREACH of_table IN ARRAY ARRAY['claims', 'assets', 'conflicts', 'videos', 'reference_files'] LOOP
        EXECUTE format('DROP TABLE IF EXISTS rights.%I', of_table || '_' || owner);
    END LOOP;
END $$;

REVOKE EXECUTE ON FUNCTION rights.begin_partition(text, integer), rights.end_partition(text, integer),
    rights.drop_partitions(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rights.begin_partition(text, integer), rights.end_partition(text, integer),
    rights.drop_partitions(integer) TO showrunner_functions;
