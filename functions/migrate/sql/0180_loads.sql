-- Archived answers that are loaded, so that one whose load failed is found and loaded again.
CREATE TABLE metrics.loads (
    key       text PRIMARY KEY CHECK (length(key) BETWEEN 1 AND 1024),
    loaded_at timestamptz NOT NULL
);
CREATE INDEX loads_age ON metrics.loads (loaded_at);

-- Until which hour of a platform's archive every answer is known to be loaded.
CREATE TABLE metrics.archive_checks (
    platform   text PRIMARY KEY,
    checked_to timestamptz NOT NULL
);

GRANT SELECT, INSERT, UPDATE, DELETE ON metrics.loads, metrics.archive_checks TO showrunner_functions;
