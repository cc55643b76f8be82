-- Figures of whole days, which YouTube Analytics states for channels whose owners connect them.

-- A day's figure is stored once, however often the platform states and revises it.
CREATE TABLE metrics.days (
    artist_id  uuid NOT NULL,
    platform   text NOT NULL,
    metric     text NOT NULL CHECK (length(metric) BETWEEN 1 AND 40),
    day        date NOT NULL,
    value      numeric NOT NULL,
    -- When the platform stated it; an older statement changes nothing.
    fetched_at timestamptz NOT NULL,
    PRIMARY KEY (artist_id, platform, metric, day),
    FOREIGN KEY (artist_id, platform) REFERENCES metrics.accounts ON DELETE CASCADE
);
GRANT SELECT, INSERT, UPDATE, DELETE ON metrics.days TO showrunner_functions;

-- Until which day a reading of days has been loaded: the next one begins there, whatever was missed meanwhile.
ALTER TABLE metrics.readings ADD COLUMN covered_until date;
