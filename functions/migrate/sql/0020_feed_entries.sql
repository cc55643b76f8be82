-- What a poll found, in place of a hub's XML: an event has one of the two, and raw_xml is empty where it has entries.
ALTER TABLE feed.events ADD COLUMN entries jsonb;
