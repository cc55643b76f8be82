-- Videos are remade: in another style, aspect or caption preset, with another text of a scene or another shot.

-- What was changed of the order since. The order itself stays: the look of everything else depends on it.
ALTER TABLE studio.videos ADD COLUMN changes jsonb NOT NULL DEFAULT '{}';
-- Which of title, description and tags a person has changed: a remake keeps them.
ALTER TABLE studio.videos ADD COLUMN edited_fields text[] NOT NULL DEFAULT '{}';

-- Pages of the clips and photographs that a video shows: the channel's next videos show others.
CREATE TABLE studio.shown_works (
    video_id uuid NOT NULL REFERENCES studio.videos ON DELETE CASCADE,
    page     text NOT NULL CHECK (length(page) BETWEEN 1 AND 2048),
    PRIMARY KEY (video_id, page)
);
