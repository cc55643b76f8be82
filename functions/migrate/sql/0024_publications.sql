-- What is published on YouTube, and which account's channel a channel of ours is.

ALTER TABLE studio.videos DROP CONSTRAINT videos_status_check;
ALTER TABLE studio.videos ADD CONSTRAINT videos_status_check CHECK (status IN (
    'draft', 'queued', 'processing', 'script_ready', 'review', 'completed', 'publishing', 'publish_unknown', 'scheduled', 'published', 'failed', 'cancelled'));

ALTER TABLE accounts.connections ADD COLUMN lost_reason text;

ALTER TABLE studio.channels ADD COLUMN connection_id uuid REFERENCES accounts.connections ON DELETE SET NULL;
ALTER TABLE studio.channels ADD COLUMN youtube_verified_at timestamptz;
CREATE INDEX channels_of_connection ON studio.channels (connection_id) WHERE connection_id IS NOT NULL;
-- Anybody may note a YouTube channel; who has proved that it is theirs has it alone in the stage.
CREATE UNIQUE INDEX channels_youtube_verified ON studio.channels (youtube_channel_id) WHERE deleted_at IS NULL AND youtube_verified_at IS NOT NULL;

-- One row for each video that was ever to be published. `attempt` counts the machine's executions for it.
CREATE TABLE studio.publications (
    video_id         uuid PRIMARY KEY REFERENCES studio.videos ON DELETE CASCADE,
    id               uuid NOT NULL DEFAULT gen_random_uuid(),
    organisation_id  uuid NOT NULL REFERENCES accounts.organisations ON DELETE CASCADE,
    channel_id       uuid NOT NULL REFERENCES studio.channels ON DELETE CASCADE,
    attempt          integer NOT NULL DEFAULT 1 CHECK (attempt >= 1),
    -- What the running attempt does.
    action           text NOT NULL DEFAULT 'publish' CHECK (action IN ('publish', 'change', 'remove')),
    -- True from the order until the attempt is over.
    is_open          boolean NOT NULL DEFAULT true,
    -- NULL until the machine's first step: an order whose start was lost is started by the sweeper.
    begun_at         timestamptz,
    -- Title, description, tags, category, language, made_for_kids, synthetic, privacy, publish_at: as requested.
    metadata         jsonb NOT NULL,
    confirm_repeat   boolean NOT NULL DEFAULT false,
    youtube_video_id text CHECK (length(youtube_video_id) BETWEEN 1 AND 20),
    -- Why it waits at the moment, for instance for quota or for a reconnection.
    waiting_for      text,
    -- [{"step", "code", "message", "next_step"}]: what a person should know or do.
    problems         jsonb NOT NULL DEFAULT '[]',
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    published_at     timestamptz
);
CREATE UNIQUE INDEX publications_id ON studio.publications (id);
CREATE UNIQUE INDEX publications_youtube_video_id ON studio.publications (youtube_video_id) WHERE youtube_video_id IS NOT NULL;
CREATE INDEX publications_of_organisation ON studio.publications (organisation_id);
CREATE INDEX publications_of_channel ON studio.publications (channel_id, created_at);
CREATE INDEX publications_unstarted ON studio.publications (updated_at) WHERE is_open AND begun_at IS NULL;
