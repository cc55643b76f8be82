-- Search in the rows of rights reports: one index for each order of a list, one for its filters, one for titles.
-- btree_gin is a trusted extension, like pg_trgm: Aurora has both.
CREATE EXTENSION IF NOT EXISTS btree_gin;

-- An entry of an index has at most 2.7 KB, and a report may have longer cells: no report may fail for one.
CREATE FUNCTION rights.indexable(words text[]) RETURNS text[] LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF octet_length(array_to_string(words, '')) < 2000 THEN
        RETURN words;
    END IF;
    RETURN ARRAY(SELECT left(word, 200) FROM unnest(words) word);
END $$;

CREATE INDEX videos_by_id ON rights.videos (organisation_id, video_id, owner_id, claim_id, asset_id);
CREATE INDEX videos_by_title ON rights.videos (organisation_id, left(coalesce(video_title, ''), 200), video_id);
CREATE INDEX videos_by_views ON rights.videos (organisation_id, coalesce(views, -1), video_id);
CREATE INDEX videos_by_publication ON rights.videos (organisation_id, coalesce(time_published, '-infinity'), video_id);
CREATE INDEX videos_by_upload ON rights.videos (organisation_id, coalesce(time_uploaded, '-infinity'), video_id);
CREATE INDEX videos_title ON rights.videos USING gin (video_title gin_trgm_ops);
CREATE INDEX videos_filters ON rights.videos USING gin
    (channel_id, left(category, 200), left(video_privacy_status, 200), left(effective_policy, 200), left(isrc, 200),
     left(custom_id, 200), (CASE WHEN claimed_by_this_owner THEN 'yes' ELSE 'no' END),
     rights.indexable(asset_ids));

CREATE INDEX assets_by_id ON rights.assets (organisation_id, asset_id, owner_id);
CREATE INDEX assets_by_title ON rights.assets (organisation_id, left(coalesce(asset_title, ''), 200), asset_id);
CREATE INDEX assets_by_views ON rights.assets (organisation_id, coalesce(approx_daily_views, -1), asset_id);
CREATE INDEX assets_in_conflict ON rights.assets (organisation_id, coalesce(approx_daily_views, -1), asset_id)
    WHERE conflicting_owner IS NOT NULL;
CREATE INDEX assets_title ON rights.assets USING gin (asset_title gin_trgm_ops);
CREATE INDEX assets_filters ON rights.assets USING gin
    (left(asset_type, 200), left(label, 200), left(upc, 200), left(custom_id, 200), left(match_policy, 200),
     left(isrc, 200), left(display_isrc, 200), left(your_isrc, 200), rights.indexable(artist),
     rights.indexable(asset_labels));

CREATE INDEX claims_by_creation ON rights.claims
    (organisation_id, coalesce(claim_created_date, '-infinity'), claim_id);
CREATE INDEX claims_by_views ON rights.claims (organisation_id, coalesce(views, -1), claim_id);
CREATE INDEX claims_of_video ON rights.claims (organisation_id, video_id);
CREATE INDEX claims_of_asset ON rights.claims (organisation_id, left(asset_id, 200));
CREATE INDEX claims_title ON rights.claims USING gin (video_title gin_trgm_ops);
CREATE INDEX claims_filters ON rights.claims USING gin
    (channel_id, left(claim_status, 200), left(claim_type, 200), left(claim_origin, 200), left(isrc, 200),
     left(upc, 200), left(record_label, 200), left(custom_id, 200), rights.indexable(artist));

CREATE INDEX conflicts_by_views ON rights.conflicts (organisation_id, coalesce(lifetime_views_in_conflict, -1),
    (owner_id::text || '|' || asset_id || '|' || conflicting_owner));
CREATE INDEX conflicts_of_organisation ON rights.conflicts (organisation_id, asset_id);
-- The life of a video, claim or asset. Claims that were removed are found by their video.
CREATE INDEX history_of_thing ON rights.history (organisation_id, kind, split_part(key, '|', 1), day);
CREATE INDEX history_of_claims ON rights.history (organisation_id, (columns ->> 'video_id'))
    WHERE kind = 'claims' AND change = 'removed';

-- Filters and order of a list that people of an organisation have saved under a name.
CREATE TABLE rights.searches (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organisation_id uuid NOT NULL REFERENCES accounts.organisations ON DELETE CASCADE,
    name            text NOT NULL,
    list            text NOT NULL CHECK (list IN ('videos', 'assets', 'claims', 'conflicts')),
    filters         jsonb NOT NULL,
    created_by      text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX searches_name ON rights.searches (organisation_id, list, lower(name));
GRANT SELECT, INSERT, UPDATE, DELETE ON rights.searches TO showrunner_functions;
