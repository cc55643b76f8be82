-- Who ordered a video: a user's id, or service:<name>. NULL for videos of before.
ALTER TABLE studio.videos ADD COLUMN created_by text;
CREATE INDEX videos_of_creator ON studio.videos (organisation_id, created_by, created_at DESC, id DESC) WHERE deleted_at IS NULL;
