-- Change sets of claims and policies, through YouTube's Content ID API.

-- youtube_id: the owner's id at YouTube (onBehalfOfContentOwner). One organisation has it.
ALTER TABLE rights.content_owners
    ADD COLUMN youtube_id text CHECK (youtube_id ~ '^[A-Za-z0-9_-]{1,100}$');
CREATE UNIQUE INDEX content_owners_youtube_id ON rights.content_owners (youtube_id) WHERE youtube_id IS NOT NULL;

-- All rows of a change set are of one kind.
ALTER TABLE rights.change_sets
    ADD COLUMN kind text NOT NULL DEFAULT 'metadata'
        CHECK (kind IN ('metadata', 'claim', 'release', 'claim_policy', 'match_policy'));
-- target: what a row of another kind than metadata is about beside the video (which a match policy lacks): content_owner
-- (its id at YouTube), asset_id, claim_id, content_type, is_manual.
ALTER TABLE rights.changes
    ADD COLUMN kind text NOT NULL DEFAULT 'metadata',
    ADD COLUMN target jsonb NOT NULL DEFAULT '{}';

-- The claims that running change sets are making: no two of them make the same one.
CREATE TABLE rights.claims_in_work (
    content_owner text NOT NULL,
    video_id      text NOT NULL,
    asset_id      text NOT NULL,
    content_type  text NOT NULL,
    change_set_id uuid NOT NULL REFERENCES rights.change_sets ON DELETE CASCADE,
    row_number    integer NOT NULL,
    PRIMARY KEY (content_owner, video_id, asset_id, content_type)
);
CREATE INDEX claims_in_work_of_set ON rights.claims_in_work (change_set_id, row_number);
GRANT SELECT, INSERT, UPDATE, DELETE ON rights.claims_in_work TO showrunner_functions;
