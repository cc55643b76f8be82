-- Indexes of snapshots that cost less to make: they took nearly half of a first snapshot's time. Searches use the same
-- expressions as before.

-- For a column with many different values, an entry costs GIN twice what it costs a b-tree. GIN keeps the columns with
-- few values, whose rows it stores as lists, and the arrays.
DROP INDEX rights.claims_filters, rights.videos_filters, rights.assets_filters;
CREATE INDEX claims_filters ON rights.claims USING gin
    (left(claim_status, 200), left(claim_type, 200), left(claim_origin, 200), left(record_label, 200),
     rights.indexable(artist));
CREATE INDEX claims_of_channel ON rights.claims (channel_id);
CREATE INDEX claims_of_isrc ON rights.claims (left(isrc, 200));
CREATE INDEX claims_of_upc ON rights.claims (left(upc, 200));
CREATE INDEX claims_of_custom_id ON rights.claims (left(custom_id, 200));

CREATE INDEX videos_filters ON rights.videos USING gin
    (left(category, 200), left(video_privacy_status, 200), left(effective_policy, 200),
     (CASE WHEN claimed_by_this_owner THEN 'yes' ELSE 'no' END), rights.indexable(asset_ids));
CREATE INDEX videos_of_channel ON rights.videos (channel_id);
CREATE INDEX videos_of_isrc ON rights.videos (left(isrc, 200));
CREATE INDEX videos_of_custom_id ON rights.videos (left(custom_id, 200));

CREATE INDEX assets_filters ON rights.assets USING gin
    (left(asset_type, 200), left(label, 200), left(match_policy, 200), rights.indexable(artist),
     rights.indexable(asset_labels));
CREATE INDEX assets_of_upc ON rights.assets (left(upc, 200));
CREATE INDEX assets_of_custom_id ON rights.assets (left(custom_id, 200));
CREATE INDEX assets_of_isrc ON rights.assets (left(isrc, 200));
CREATE INDEX assets_of_display_isrc ON rights.assets (left(display_isrc, 200));
CREATE INDEX assets_of_your_isrc ON rights.assets (left(your_isrc, 200));

-- A partition has one owner: with it as the first column, PostgreSQL sorted entries without its short cut, in twice the
-- time.
ALTER TABLE rights.claims DROP CONSTRAINT claims_pkey, ADD CONSTRAINT claims_pkey PRIMARY KEY (claim_id, owner_id);
ALTER TABLE rights.assets DROP CONSTRAINT assets_pkey, ADD CONSTRAINT assets_pkey PRIMARY KEY (asset_id, owner_id);
ALTER TABLE rights.conflicts DROP CONSTRAINT conflicts_pkey,
    ADD CONSTRAINT conflicts_pkey PRIMARY KEY (asset_id, conflicting_owner, owner_id);
ALTER TABLE rights.videos DROP CONSTRAINT videos_pkey,
    ADD CONSTRAINT videos_pkey PRIMARY KEY (video_id, claim_id, asset_id, owner_id);
ALTER TABLE rights.reference_files DROP CONSTRAINT reference_files_pkey,
    ADD CONSTRAINT reference_files_pkey PRIMARY KEY (reference_id, owner_id);
