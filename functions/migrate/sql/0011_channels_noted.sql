-- Anybody can write down any YouTube channel; only who runs it can prove that. Until then it is one channel's within an organisation, and nobody keeps it from
-- its owner by having written it down first.
DROP INDEX studio.channels_youtube_channel_id;
CREATE UNIQUE INDEX channels_youtube_channel_id ON studio.channels (organisation_id, youtube_channel_id) WHERE deleted_at IS NULL;
