-- What was last written into each organisation's base at Airtable: an unchanged row costs no call.
CREATE TABLE metrics.airtable_rows (
    organisation_id uuid NOT NULL REFERENCES accounts.organisations ON DELETE CASCADE,
    table_name      text NOT NULL CHECK (length(table_name) BETWEEN 1 AND 100),
    -- What the row is found by: an artist's id, or a video's.
    key             text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
    digest          text NOT NULL CHECK (length(digest) = 64),
    written_at      timestamptz NOT NULL,
    PRIMARY KEY (organisation_id, table_name, key)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON metrics.airtable_rows TO showrunner_functions;
