-- Videos, playlists, albums, tracks and posts of artists: what a platform says about them, and their figures.

-- When an account was last asked for what belongs to it, for each kind of question (metrics/readings.py).
CREATE TABLE metrics.readings (
    artist_id  uuid NOT NULL,
    platform   text NOT NULL,
    reading    text NOT NULL CHECK (length(reading) BETWEEN 1 AND 40),
    checked_at timestamptz,
    -- The run of the metrics machine that asks.
    planned_at timestamptz,
    planned_by text CHECK (length(planned_by) <= 200),
    PRIMARY KEY (artist_id, platform, reading),
    FOREIGN KEY (artist_id, platform) REFERENCES metrics.accounts ON DELETE CASCADE
);
CREATE INDEX readings_planned ON metrics.readings (platform, reading, planned_by) WHERE planned_by IS NOT NULL;

CREATE TABLE metrics.items (
    artist_id    uuid NOT NULL,
    platform     text NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('video', 'playlist', 'album', 'track', 'post')),
    item_id      text NOT NULL CHECK (length(item_id) BETWEEN 1 AND 200),
    title        text CHECK (length(title) <= 1000),
    published_at timestamptz,
    -- The newest figures by name, and what else the platform says.
    figures      jsonb NOT NULL DEFAULT '{}',
    details      jsonb NOT NULL DEFAULT '{}',
    first_at     timestamptz NOT NULL,
    -- When the platform last named it, and when it was last asked for its figures.
    found_at     timestamptz NOT NULL,
    checked_at   timestamptz,
    planned_at   timestamptz,
    planned_by   text CHECK (length(planned_by) <= 200),
    -- 0 where nobody knows: an order needs a value.
    views        bigint GENERATED ALWAYS AS (coalesce((figures ->> 'views')::bigint, 0)) STORED,
    PRIMARY KEY (artist_id, platform, kind, item_id),
    FOREIGN KEY (artist_id, platform) REFERENCES metrics.accounts ON DELETE CASCADE
);
CREATE INDEX items_by_id ON metrics.items (platform, kind, item_id);
CREATE INDEX items_planned ON metrics.items (platform, kind, planned_by) WHERE planned_by IS NOT NULL;
CREATE INDEX items_newest ON metrics.items
    (artist_id, coalesce(published_at, '-infinity') DESC, (platform || ' ' || kind || ' ' || item_id) DESC);
CREATE INDEX items_top ON metrics.items
    (artist_id, views DESC, (platform || ' ' || kind || ' ' || item_id) DESC);
CREATE INDEX items_age ON metrics.items (platform, found_at);

-- As metrics.points: a value that stays the same is one row, from its first to its last observation.
CREATE TABLE metrics.item_points (
    artist_id  uuid NOT NULL,
    platform   text NOT NULL,
    kind       text NOT NULL,
    item_id    text NOT NULL,
    metric     text NOT NULL CHECK (length(metric) BETWEEN 1 AND 40),
    at         timestamptz NOT NULL,
    last_at    timestamptz NOT NULL CHECK (last_at >= at),
    value      bigint NOT NULL CHECK (value >= 0),
    definition smallint NOT NULL CHECK (definition >= 1),
    PRIMARY KEY (artist_id, platform, kind, item_id, metric, at),
    FOREIGN KEY (artist_id, platform, kind, item_id) REFERENCES metrics.items ON DELETE CASCADE
) PARTITION BY RANGE (at);
CREATE TABLE metrics.item_points_default PARTITION OF metrics.item_points DEFAULT;
CREATE INDEX item_points_age ON metrics.item_points (platform, last_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON metrics.readings, metrics.items, metrics.item_points
   TO showrunner_functions;

CREATE OR REPLACE FUNCTION metrics.prepare_month(month date) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    begins date DEFAULT date_trunc('month', month);
    ends   date DEFAULT begins + interval '1 month';
BEGIN
    PERFORM public.prepare_partition('metrics', 'points', 'at', begins, ends);
    PERFORM public.prepare_partition('metrics', 'item_points', 'at', begins, ends);
END $$;

SELECT metrics.prepare_month(month::date)
  FROM generate_series(date_trunc('month', now()), now() + interval '2 months', interval '1 month') month;
