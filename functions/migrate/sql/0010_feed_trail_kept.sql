-- A month's partition is a table of its own, whose privileges the parent's REVOKE doesn't touch: whoever names it could have changed the trail by it. Rows go
-- in and are read through the parent, so that partitions need no privilege of their own.
DO $$
DECLARE part regclass;
BEGIN
    FOR part IN SELECT inhrelid FROM pg_inherits WHERE inhparent IN ('feed.updates'::regclass, 'feed.events'::regclass) LOOP
        EXECUTE format('REVOKE ALL ON %s FROM showrunner_functions', part);
    END LOOP;
END $$;

-- Those of months to come are made by prepare_month with its owner's defaults: nothing. A later migration that adds a table to this schema grants what it needs.
ALTER DEFAULT PRIVILEGES IN SCHEMA feed REVOKE SELECT, INSERT, UPDATE, DELETE ON TABLES FROM showrunner_functions;

-- When the hub denied last: a verification from before doesn't revive what it ended, in whichever order the two come out of the queue.
ALTER TABLE feed.subscriptions ADD COLUMN denied_at timestamptz;

-- Those whose hub lets the lease end or refuses, counted every minute for the alarm.
CREATE INDEX subscriptions_lost ON feed.subscriptions (id) WHERE status IN ('expired', 'failed') AND ask_at IS NOT NULL;
