-- The role that functions work as: it reads and writes rows, owns nothing, and so can't change what guards them. Each stage's functions log in as a member
-- of it, whom the migrate function makes with the password in SSM. A schema of a later migration is granted there; tables and sequences of these are by default.
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'showrunner_functions') THEN
        CREATE ROLE showrunner_functions NOLOGIN;
    END IF;
END $$;

GRANT USAGE ON SCHEMA accounts, access, studio, ledger, audit, feed TO showrunner_functions;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA accounts, access, studio, ledger, audit, feed TO showrunner_functions;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA accounts, access, studio, ledger, audit, feed TO showrunner_functions;
ALTER DEFAULT PRIVILEGES IN SCHEMA accounts, access, studio, ledger, audit, feed GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO showrunner_functions;
ALTER DEFAULT PRIVILEGES IN SCHEMA accounts, access, studio, ledger, audit, feed GRANT USAGE ON SEQUENCES TO showrunner_functions;

-- What is only ever added. Their triggers refuse the owner too.
REVOKE UPDATE, DELETE ON audit.events, feed.updates FROM showrunner_functions;

-- The one thing that functions make in the schema, with its owner's rights and no say in what it is called.
ALTER FUNCTION feed.prepare_month(date) SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
REVOKE EXECUTE ON FUNCTION feed.prepare_month(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION feed.prepare_month(date) TO showrunner_functions;

-- What was paid stays paid when the video is purged.
ALTER TABLE ledger.costs DROP CONSTRAINT costs_video_id_fkey;

-- What the retention and sweep schedules look for.
CREATE INDEX videos_removed ON studio.videos (deleted_at, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX channels_removed ON studio.channels (deleted_at, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX videos_cancelled ON studio.videos (cancel_requested_at) WHERE status = 'cancelled';
CREATE INDEX refresh_tokens_age ON access.refresh_tokens (expires_at);
CREATE INDEX channel_removals_age ON studio.channel_removals (expires_at);
