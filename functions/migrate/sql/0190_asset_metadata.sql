-- Change sets of the metadata of assets: artist, genre, title, codes.
ALTER TABLE rights.change_sets
    DROP CONSTRAINT change_sets_kind_check,
    ADD CONSTRAINT change_sets_kind_check
        CHECK (kind IN ('metadata', 'claim', 'release', 'claim_policy', 'match_policy', 'asset_metadata'));
