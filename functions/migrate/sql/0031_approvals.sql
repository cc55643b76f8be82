-- Who has approved a video of a channel with `review`, and when.
ALTER TABLE studio.videos ADD COLUMN approved_at timestamptz, ADD COLUMN approved_by text;
