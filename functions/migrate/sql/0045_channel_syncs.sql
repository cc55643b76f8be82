-- What a channel and its videos are on YouTube, as they were last read there.

-- The last reading of a channel. `attempt` counts the machine's executions for it.
CREATE TABLE studio.channel_syncs (
    channel_id      uuid PRIMARY KEY REFERENCES studio.channels ON DELETE CASCADE,
    organisation_id uuid NOT NULL REFERENCES accounts.organisations ON DELETE CASCADE,
    attempt         integer NOT NULL DEFAULT 1 CHECK (attempt >= 1),
    begun_at        timestamptz NOT NULL DEFAULT now(),
    -- NULL while it is read.
    ended_at        timestamptz,
    -- Why the last reading failed; NULL if it didn't.
    error           text,
    -- {"title", "subscribers", "views", "videos"}; what the owner hides is null.
    shown           jsonb,
    shown_at        timestamptz
);
CREATE INDEX channel_syncs_of_organisation ON studio.channel_syncs (organisation_id);

-- {"privacy", "upload_status", "views", "likes", "comments"}, and when it was read.
ALTER TABLE studio.publications ADD COLUMN shown jsonb;
ALTER TABLE studio.publications ADD COLUMN shown_at timestamptz;
