-- How often videos of connected channels were shown and clicked, by day: the newest 28 days that YouTube has reported.
CREATE TABLE metrics.video_days (
    artist_id   uuid NOT NULL,
    platform    text NOT NULL,
    kind        text NOT NULL,
    item_id     text NOT NULL,
    day         date NOT NULL,
    impressions bigint NOT NULL CHECK (impressions >= 0),
    clicks      numeric NOT NULL CHECK (clicks >= 0),
    PRIMARY KEY (artist_id, platform, kind, item_id, day),
    FOREIGN KEY (artist_id, platform, kind, item_id) REFERENCES metrics.items ON DELETE CASCADE
);
CREATE INDEX video_days_by_day ON metrics.video_days (artist_id, platform, day);
GRANT SELECT, INSERT, UPDATE, DELETE ON metrics.video_days TO showrunner_functions;
