-- A month whose rows came before its partition has them in the default partition, beside which none can be made: they move.
CREATE FUNCTION feed.prepare_partition(of_table text, by_column text, begins date, ends date) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    partition text DEFAULT of_table || to_char(begins, '_YYYY_MM');
    rest      text DEFAULT of_table || '_default';
    is_met    boolean;
BEGIN
    IF to_regclass('feed.' || partition) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('SELECT EXISTS (SELECT FROM feed.%I WHERE %I >= $1 AND %2$I < $2)', rest, by_column) INTO is_met USING begins, ends;
    -- Detached: beside it no partition could be made for rows that it holds, and while it is part of the trail none of its rows can be moved.
    IF is_met THEN
        EXECUTE format('ALTER TABLE feed.%I DETACH PARTITION feed.%I', of_table, rest);
    END IF;
    EXECUTE format('CREATE TABLE feed.%I PARTITION OF feed.%I FOR VALUES FROM (%L) TO (%L)', partition, of_table, begins, ends);
    IF is_met THEN
        EXECUTE format('WITH moved AS (DELETE FROM feed.%I WHERE %I >= $1 AND %2$I < $2 RETURNING *) INSERT INTO feed.%I SELECT * FROM moved', rest, by_column, of_table)
          USING begins, ends;
        EXECUTE format('ALTER TABLE feed.%I ATTACH PARTITION feed.%I DEFAULT', of_table, rest);
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION feed.prepare_partition(text, text, date, date) FROM PUBLIC;

-- With its owner's rights, as before.
CREATE OR REPLACE FUNCTION feed.prepare_month(month date) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    begins date DEFAULT date_trunc('month', month);
    ends   date DEFAULT begins + interval '1 month';
BEGIN
    PERFORM feed.prepare_partition('events', 'received_at', begins, ends);
    PERFORM feed.prepare_partition('updates', 'created_at', begins, ends);
END $$;
