-- The times that the document's lists show are times that they can be sorted by; what has none comes last, as in PostgreSQL's own order.
CREATE INDEX events_by_processing ON feed.events ((coalesce(processed_at, 'infinity')), id);
CREATE INDEX updates_by_publication ON feed.updates ((coalesce(published_at, 'infinity')), id);
CREATE INDEX updates_by_feed ON feed.updates (feed_updated_at, id);

-- A channel's feed is asked often, since that is free; the playlist in its place only as often as the day's units last.
ALTER TABLE feed.polls ADD COLUMN paid_at timestamptz;
