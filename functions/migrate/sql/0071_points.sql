-- What the platforms report about artists: the newest answer of each account, and a time series.

ALTER TABLE metrics.accounts
    -- new: never asked for; missing: the platform doesn't have it.
    ADD COLUMN state      text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'found', 'missing')),
    -- When the platform answered last, and its answer.
    ADD COLUMN checked_at timestamptz,
    ADD COLUMN response   jsonb,
    -- The run of the metrics machine that asks for it.
    ADD COLUMN planned_at timestamptz,
    ADD COLUMN planned_by text CHECK (length(planned_by) <= 200);
CREATE INDEX accounts_of_platform ON metrics.accounts (platform, account_id);
CREATE INDEX accounts_planned ON metrics.accounts (platform, planned_by) WHERE planned_by IS NOT NULL;

-- A value that stays the same is one row, from its first to its last observation.
CREATE TABLE metrics.points (
    artist_id  uuid NOT NULL REFERENCES metrics.artists ON DELETE CASCADE,
    platform   text NOT NULL CHECK (platform IN ('youtube', 'spotify', 'tiktok', 'instagram')),
    metric     text NOT NULL CHECK (length(metric) BETWEEN 1 AND 40),
    at         timestamptz NOT NULL,
    last_at    timestamptz NOT NULL CHECK (last_at >= at),
    value      bigint NOT NULL CHECK (value >= 0),
    definition smallint NOT NULL CHECK (definition >= 1),
    PRIMARY KEY (artist_id, platform, metric, at)
) PARTITION BY RANGE (at);
CREATE TABLE metrics.points_default PARTITION OF metrics.points DEFAULT;
-- What the retention looks for.
CREATE INDEX points_age ON metrics.points (platform, last_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON metrics.points TO showrunner_functions;

-- With its owner's rights: the functions own no table.
CREATE FUNCTION metrics.prepare_month(month date) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    begins date DEFAULT date_trunc('month', month);
BEGIN
    PERFORM public.prepare_partition('metrics', 'points', 'at', begins, (begins + interval '1 month')::date);
END $$;
REVOKE EXECUTE ON FUNCTION metrics.prepare_month(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION metrics.prepare_month(date) TO showrunner_functions;

SELECT metrics.prepare_month(month::date)
  FROM generate_series(date_trunc('month', now()), now() + interval '2 months', interval '1 month') month;
