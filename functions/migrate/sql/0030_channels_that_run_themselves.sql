-- Channels that run themselves: the topics of their videos, and when these are published.

CREATE TABLE studio.topics (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organisation_id uuid NOT NULL REFERENCES accounts.organisations ON DELETE CASCADE,
    channel_id      uuid NOT NULL REFERENCES studio.channels ON DELETE CASCADE,
    topic           text NOT NULL CHECK (length(topic) BETWEEN 1 AND 500),
    position        integer NOT NULL,
    -- The video that used it. A used topic keeps its row, so that no topic is used twice.
    video_id        uuid REFERENCES studio.videos ON DELETE SET NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    used_at         timestamptz
);
CREATE UNIQUE INDEX topics_topic ON studio.topics (channel_id, lower(topic));
CREATE INDEX topics_in_order ON studio.topics (channel_id, position, id);
CREATE INDEX topics_waiting ON studio.topics (channel_id, position, id) WHERE used_at IS NULL;
CREATE INDEX topics_of_organisation ON studio.topics (organisation_id);
CREATE INDEX topics_of_video ON studio.topics (video_id) WHERE video_id IS NOT NULL;

-- Until now topics were a list among the settings.
INSERT INTO studio.topics (organisation_id, channel_id, topic, position)
SELECT c.organisation_id, c.id, t.topic, t.place
  FROM studio.channels c,
       jsonb_array_elements_text(CASE jsonb_typeof(c.settings -> 'topics') WHEN 'array' THEN c.settings -> 'topics' ELSE '[]' END)
       WITH ORDINALITY AS t (topic, place)
 WHERE length(t.topic) BETWEEN 1 AND 500
 ORDER BY c.id, t.place
    ON CONFLICT DO NOTHING;
UPDATE studio.channels SET settings = settings - 'topics' WHERE settings ? 'topics';

-- One video of a channel on a local day at one of its publish times.
CREATE TABLE studio.slots (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organisation_id uuid NOT NULL REFERENCES accounts.organisations ON DELETE CASCADE,
    channel_id      uuid NOT NULL REFERENCES studio.channels ON DELETE CASCADE,
    day             date NOT NULL,
    time            text NOT NULL CHECK (time ~ '^[0-2][0-9]:[0-5][0-9]$'),
    -- The regular time, and the time now: a slot that doesn't fit is moved, with the reason.
    planned_at      timestamptz NOT NULL,
    publish_at      timestamptz NOT NULL,
    state           text NOT NULL DEFAULT 'planned' CHECK (state IN ('planned', 'held', 'ordered', 'skipped', 'missed', 'withdrawn')),
    reason          text,
    video_id        uuid REFERENCES studio.videos ON DELETE SET NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (channel_id, day, time)
);
CREATE INDEX slots_of_channel ON studio.slots (channel_id, publish_at);
CREATE INDEX slots_open ON studio.slots (publish_at) WHERE state IN ('planned', 'held');
CREATE INDEX slots_of_organisation ON studio.slots (organisation_id);
CREATE UNIQUE INDEX slots_of_video ON studio.slots (video_id) WHERE video_id IS NOT NULL;

-- The last day whose slots are planned; NULL: settings or status have changed, and the slots are planned anew.
ALTER TABLE studio.channels ADD COLUMN planned_through date;
-- When its people were told that the backlog runs low; NULL again once it is filled.
ALTER TABLE studio.channels ADD COLUMN backlog_low_at timestamptz;
