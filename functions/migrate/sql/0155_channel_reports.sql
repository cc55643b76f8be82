-- Reports of channels that YouTube makes for their owners every day, besides YouTube Analytics.

-- The report of each period that counts. One that YouTube makes anew takes the place of the one before.
CREATE TABLE metrics.reports (
    artist_id   uuid NOT NULL,
    platform    text NOT NULL,
    subject     text NOT NULL CHECK (subject IN ('activity', 'reach')),
    start_at    timestamptz NOT NULL,
    end_at      timestamptz NOT NULL CHECK (end_at > start_at),
    created_at  timestamptz NOT NULL,
    report_type text NOT NULL,
    -- Where its file is archived.
    key         text NOT NULL,
    PRIMARY KEY (artist_id, platform, subject, start_at),
    FOREIGN KEY (artist_id, platform) REFERENCES metrics.accounts ON DELETE CASCADE
);

-- The job that makes the reports of a subject, as of the last look.
CREATE TABLE metrics.report_jobs (
    artist_id     uuid NOT NULL,
    platform      text NOT NULL,
    subject       text NOT NULL CHECK (subject IN ('activity', 'reach')),
    -- Null where YouTube offers no type of report about the subject.
    job_id        text,
    report_type   text,
    deprecated_at timestamptz,
    expires_at    timestamptz,
    problem       text CHECK (length(problem) <= 1000),
    checked_at    timestamptz NOT NULL,
    PRIMARY KEY (artist_id, platform, subject),
    FOREIGN KEY (artist_id, platform) REFERENCES metrics.accounts ON DELETE CASCADE
);

GRANT SELECT, INSERT, UPDATE, DELETE ON metrics.reports, metrics.report_jobs TO showrunner_functions;
