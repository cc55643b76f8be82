-- The audit log records how each action ended, and has a partition for each month.

-- A month's partition of a table. A month whose rows came before its partition has them in the default partition, beside
-- which none can be made: they move. Replaces feed.prepare_partition, for tables of any schema.
CREATE FUNCTION public.prepare_partition(of_schema text, of_table text, by_column text, begins date, ends date)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    partition text DEFAULT of_table || to_char(begins, '_YYYY_MM');
    rest      text DEFAULT of_table || '_default';
    is_met    boolean;
BEGIN
    IF to_regclass(format('%I.%I', of_schema, partition)) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('SELECT EXISTS (SELECT FROM %I.%I WHERE %I >= $1 AND %3$I < $2)', of_schema, rest, by_column)
       INTO is_met USING begins, ends;
    -- Detached: while it is a partition of an append-only table, none of its rows can be moved.
    IF is_met THEN
        EXECUTE format('ALTER TABLE %I.%I DETACH PARTITION %1$I.%3$I', of_schema, of_table, rest);
    END IF;
    EXECUTE format('CREATE TABLE %I.%I PARTITION OF %1$I.%3$I FOR VALUES FROM (%4$L) TO (%5$L)',
                   of_schema, partition, of_table, begins, ends);
    IF is_met THEN
        EXECUTE format('WITH moved AS (DELETE FROM %I.%I WHERE %I >= $1 AND %3$I < $2 RETURNING *) '
                       'INSERT INTO %1$I.%4$I SELECT * FROM moved', of_schema, rest, by_column, of_table)
          USING begins, ends;
        EXECUTE format('ALTER TABLE %I.%I ATTACH PARTITION %1$I.%3$I DEFAULT', of_schema, of_table, rest);
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION public.prepare_partition(text, text, text, date, date) FROM PUBLIC;

CREATE OR REPLACE FUNCTION feed.prepare_month(month date) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    begins date DEFAULT date_trunc('month', month);
    ends   date DEFAULT begins + interval '1 month';
BEGIN
    PERFORM public.prepare_partition('feed', 'events', 'received_at', begins, ends);
    PERFORM public.prepare_partition('feed', 'updates', 'created_at', begins, ends);
END $$;
DROP FUNCTION feed.prepare_partition(text, text, date, date);

-- Partitions have privileges of their own: none, so that rows are reached through the table only.
ALTER DEFAULT PRIVILEGES IN SCHEMA audit REVOKE SELECT, INSERT, UPDATE, DELETE ON TABLES FROM showrunner_functions;

DROP INDEX audit.events_newest, audit.events_of_subject, audit.events_of_thing, audit.events_of_organisation;
ALTER TABLE audit.events RENAME CONSTRAINT events_pkey TO events_before_pkey;
ALTER TABLE audit.events RENAME TO events_before;

CREATE SEQUENCE audit.event_ids AS bigint;
CREATE TABLE audit.events (
    id              bigint NOT NULL DEFAULT nextval('audit.event_ids'),
    at              timestamptz NOT NULL DEFAULT now(),
    organisation_id uuid,
    subject         text NOT NULL,
    actor           text,
    action          text NOT NULL,
    thing           text NOT NULL,
    thing_id        text NOT NULL,
    change          jsonb NOT NULL DEFAULT '{}',
    request_id      text NOT NULL,
    address         inet,
    outcome         text NOT NULL DEFAULT 'success' CHECK (outcome IN ('success', 'failed', 'denied')),
    reason          text CHECK (length(reason) <= 500),
    PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
CREATE INDEX events_newest ON audit.events (id DESC);
CREATE INDEX events_of_subject ON audit.events (subject, id DESC);
CREATE INDEX events_of_thing ON audit.events (thing, thing_id, id DESC);
CREATE INDEX events_of_organisation ON audit.events (organisation_id, id DESC);
CREATE INDEX events_refused ON audit.events (outcome, id DESC) WHERE outcome <> 'success';
CREATE TABLE audit.events_default PARTITION OF audit.events DEFAULT;

CREATE FUNCTION audit.prepare_month(month date) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    begins date DEFAULT date_trunc('month', month);
BEGIN
    PERFORM public.prepare_partition('audit', 'events', 'at', begins, (begins + interval '1 month')::date);
END $$;
REVOKE EXECUTE ON FUNCTION audit.prepare_month(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.prepare_month(date) TO showrunner_functions;

SELECT audit.prepare_month(month::date)
  FROM generate_series(date_trunc('month', coalesce((SELECT min(at) FROM audit.events_before), now())),
                       now() + interval '2 months', interval '1 month') month;
INSERT INTO audit.events (id, at, organisation_id, subject, actor, action, thing, thing_id, change, request_id, address)
SELECT id, at, organisation_id, subject, actor, action, thing, thing_id, change, request_id, address
  FROM audit.events_before ORDER BY id;
SELECT setval('audit.event_ids', greatest((SELECT max(id) FROM audit.events), 1));
DROP TABLE audit.events_before;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.events FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit.events FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
REVOKE ALL ON audit.events, audit.events_default FROM showrunner_functions;
GRANT SELECT, INSERT ON audit.events TO showrunner_functions;
