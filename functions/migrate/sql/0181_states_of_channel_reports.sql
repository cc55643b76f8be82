-- How the reports of a subject come, as of the last look, and when people were told that YouTube stops making them.
ALTER TABLE metrics.report_jobs
    ADD COLUMN state text CHECK (state IN ('ok', 'new', 'late', 'gap', 'expiring', 'failed', 'ended')),
    ADD COLUMN announced_at timestamptz;
