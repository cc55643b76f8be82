-- A key that replaces another, and since when the other is replaced: it is valid for a day more.
ALTER TABLE access.api_keys
    ADD COLUMN replaces    uuid,
    ADD COLUMN replaced_at timestamptz;
