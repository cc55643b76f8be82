-- The reports that YouTube makes for a content owner by itself: one stream for each type, its state as of the last look.
CREATE TABLE rights.streams (
    owner_id        integer NOT NULL REFERENCES rights.content_owners ON DELETE CASCADE,
    organisation_id uuid NOT NULL,
    job_id          text NOT NULL,
    report_type     text NOT NULL,
    name            text NOT NULL,
    kind            text,
    state           text NOT NULL CHECK (state IN ('ok', 'new', 'late', 'gap', 'expiring', 'failed', 'unknown', 'ended')),
    reason          text,
    reports         integer NOT NULL,
    fetched         integer NOT NULL,
    newest_end      timestamptz,
    newest_created  timestamptz,
    deprecated_at   timestamptz,
    -- When people were told that YouTube stops making it, so that they are told once.
    announced_at    timestamptz,
    checked_at      timestamptz NOT NULL,
    PRIMARY KEY (owner_id, job_id)
);
CREATE INDEX streams_of_organisation ON rights.streams (organisation_id, report_type, job_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON rights.streams TO showrunner_functions;
