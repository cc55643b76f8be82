-- What YouTube channels publish, as the hub and our own polls tell it.
CREATE SCHEMA feed;

CREATE TABLE feed.subscriptions (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel_id       text NOT NULL CHECK (channel_id ~ '^UC[A-Za-z0-9_-]{22}$'),
    topic_url        text NOT NULL,
    callback_url     text NOT NULL CHECK (length(callback_url) <= 2000),
    -- Appended to the address that the hub is given: who knows it is the hub.
    callback_token   text NOT NULL UNIQUE,
    hub_url          text NOT NULL,
    status           text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'active', 'expired', 'failed')),
    failure          text,
    -- What we ask for, and what the hub granted last.
    asked_seconds    integer NOT NULL CHECK (asked_seconds BETWEEN 1 AND 864000),
    lease_seconds    integer NOT NULL CHECK (lease_seconds > 0),
    expires_at       timestamptz,
    -- Sealed. While a new secret spreads the one before is valid too.
    secret           bytea,
    previous_secret  bytea,
    rotated_at       timestamptz,
    last_verified_at timestamptz,
    last_push_at     timestamptz,
    -- When the hub is to be asked next, how often it was since its last word, and what that was.
    ask_at           timestamptz DEFAULT now(),
    attempts         integer NOT NULL DEFAULT 0,
    last_answer      text,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT subscriptions_of_channel UNIQUE (channel_id, callback_url)
);
CREATE INDEX subscriptions_due ON feed.subscriptions (ask_at) WHERE ask_at IS NOT NULL;
CREATE INDEX subscriptions_ending ON feed.subscriptions (expires_at) WHERE status = 'active';
CREATE INDEX subscriptions_newest ON feed.subscriptions (created_at DESC, id DESC);

CREATE TABLE feed.channels (
    channel_id      text PRIMARY KEY,
    title           text NOT NULL DEFAULT '',
    -- The entry that gave the title was updated then: an older one doesn't take it back.
    titled_at       timestamptz NOT NULL DEFAULT '-infinity',
    first_seen_at   timestamptz NOT NULL DEFAULT now(),
    last_updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 80);
CREATE INDEX channels_by_update ON feed.channels (last_updated_at, channel_id);
CREATE INDEX channels_by_first ON feed.channels (first_seen_at, channel_id);
CREATE INDEX channels_by_title ON feed.channels (title, channel_id);
CREATE INDEX channels_title_words ON feed.channels USING gin (title gin_trgm_ops);

-- How a channel is polled beside its pushes.
CREATE TABLE feed.polls (
    channel_id     text PRIMARY KEY,
    poll_at        timestamptz NOT NULL DEFAULT now(),
    last_polled_at timestamptz,
    last_found_at  timestamptz,
    failures       integer NOT NULL DEFAULT 0,
    last_error     text
);
CREATE INDEX polls_due ON feed.polls (poll_at);

-- Values of the newest entry, whatever order they came in. A video known by its tombstone alone has no entry yet and stays out of lists.
CREATE TABLE feed.videos (
    video_id        text PRIMARY KEY,
    channel_id      text,
    title           text NOT NULL DEFAULT '',
    published_at    timestamptz,
    feed_updated_at timestamptz,
    -- The newest tombstone; the video is gone unless an entry is newer.
    deleted_at      timestamptz,
    first_seen_at   timestamptz NOT NULL DEFAULT now(),
    last_updated_at timestamptz NOT NULL DEFAULT now(),
    enrich_at       timestamptz DEFAULT now(),
    enriched_at     timestamptz,
    -- {duration_seconds, tags, category_id, thumbnails, statistics}
    details         jsonb
);
CREATE INDEX videos_by_published ON feed.videos (published_at, video_id);
CREATE INDEX videos_of_channel ON feed.videos (channel_id, published_at, video_id);
CREATE INDEX videos_by_update ON feed.videos (last_updated_at, video_id);
CREATE INDEX videos_by_first ON feed.videos (first_seen_at, video_id);
CREATE INDEX videos_by_title ON feed.videos (title, video_id);
CREATE INDEX videos_title_words ON feed.videos USING gin (title gin_trgm_ops);
CREATE INDEX videos_to_enrich ON feed.videos (enrich_at) WHERE enrich_at IS NOT NULL;

-- Identity columns of partitioned tables came with PostgreSQL 17.
CREATE SEQUENCE feed.event_ids;
CREATE SEQUENCE feed.update_ids;

CREATE TABLE feed.events (
    id               bigint NOT NULL DEFAULT nextval('feed.event_ids'),
    received_at      timestamptz NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now(),
    subscription_id  bigint,
    origin           text NOT NULL DEFAULT 'push' CHECK (origin IN ('push', 'feed', 'playlist')),
    content_hash     bytea NOT NULL,
    -- True when the same content had come before: recorded, and nothing else.
    repeat           boolean NOT NULL DEFAULT false,
    raw_xml          text NOT NULL,
    -- The bytes, where they are not UTF-8 that a text can hold.
    raw_bytes        bytea,
    video_id         text,
    channel_id       text,
    processed        boolean NOT NULL DEFAULT false,
    processed_at     timestamptz,
    processing_error text,
    PRIMARY KEY (id, received_at)
) PARTITION BY RANGE (received_at);
CREATE INDEX events_by_time ON feed.events (received_at, id);
CREATE INDEX events_of_video ON feed.events (video_id, received_at, id);
CREATE INDEX events_of_channel ON feed.events (channel_id, received_at, id);
CREATE INDEX events_unprocessed ON feed.events (received_at, id) WHERE NOT processed;

-- One row for each delivery, so that a message that comes twice is taken in once; pruned when no queue can hold it any more.
CREATE TABLE feed.deliveries (
    delivery_id uuid PRIMARY KEY,
    event_id    bigint NOT NULL,
    taken_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX deliveries_age ON feed.deliveries USING brin (taken_at);

-- What has been processed, over all time that a repeat could come in.
CREATE TABLE feed.seen (
    content_hash bytea PRIMARY KEY,
    event_id     bigint NOT NULL,
    seen_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX seen_age ON feed.seen USING brin (seen_at);

CREATE TABLE feed.updates (
    id               bigint NOT NULL DEFAULT nextval('feed.update_ids'),
    created_at       timestamptz NOT NULL DEFAULT now(),
    webhook_event_id bigint NOT NULL,
    video_id         text NOT NULL,
    channel_id       text,
    title            text NOT NULL,
    published_at     timestamptz,
    feed_updated_at  timestamptz NOT NULL,
    update_type      text NOT NULL CHECK (update_type IN ('new_video', 'title_update', 'deleted', 'unknown')),
    PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX updates_by_time ON feed.updates (created_at, id);
CREATE INDEX updates_of_video ON feed.updates (video_id, created_at, id);
CREATE INDEX updates_of_channel ON feed.updates (channel_id, created_at, id);
CREATE INDEX updates_of_event ON feed.updates (webhook_event_id);
CREATE INDEX updates_of_type ON feed.updates (update_type, created_at, id);

CREATE FUNCTION feed.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'updates of videos are an audit trail: they are never changed or deleted' USING ERRCODE = '42501';
END $$;
CREATE TRIGGER updates_immutable BEFORE UPDATE OR DELETE ON feed.updates FOR EACH ROW EXECUTE FUNCTION feed.refuse_change();
CREATE TRIGGER updates_kept BEFORE TRUNCATE ON feed.updates FOR EACH STATEMENT EXECUTE FUNCTION feed.refuse_change();

-- A month's partitions, ahead of time; the schedule calls it every day. What falls outside lands in the default partition and is served all the same.
CREATE FUNCTION feed.prepare_month(month date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    begins date DEFAULT date_trunc('month', month);
    ends   date DEFAULT begins + interval '1 month';
    suffix text DEFAULT to_char(begins, 'YYYY_MM');
BEGIN
    IF to_regclass('feed.events_' || suffix) IS NULL THEN
        EXECUTE format('CREATE TABLE feed.%I PARTITION OF feed.events FOR VALUES FROM (%L) TO (%L)', 'events_' || suffix, begins, ends);
    END IF;
    IF to_regclass('feed.updates_' || suffix) IS NULL THEN
        EXECUTE format('CREATE TABLE feed.%I PARTITION OF feed.updates FOR VALUES FROM (%L) TO (%L)', 'updates_' || suffix, begins, ends);
    END IF;
END $$;

CREATE TABLE feed.events_default PARTITION OF feed.events DEFAULT;
CREATE TABLE feed.updates_default PARTITION OF feed.updates DEFAULT;
SELECT feed.prepare_month((now() + make_interval(months => n))::date) FROM generate_series(0, 2) n;
