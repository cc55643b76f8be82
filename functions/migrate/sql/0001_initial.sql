-- Organisations, what a studio makes, and what it costs. PostgreSQL 15 and nothing newer.
CREATE EXTENSION IF NOT EXISTS pg_trgm;

CREATE SCHEMA accounts;
CREATE SCHEMA access;
CREATE SCHEMA studio;
CREATE SCHEMA ledger;

CREATE TABLE accounts.organisations (
    id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name          text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    content_owner boolean NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL DEFAULT now()
);

-- A repeat of a creating call gives the first answer back; the row commits with the effect.
CREATE TABLE access.idempotency (
    organisation_id uuid NOT NULL REFERENCES accounts.organisations ON DELETE CASCADE,
    route           text NOT NULL,
    key             text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    body_sha256     text NOT NULL,
    status          smallint NOT NULL,
    answer          jsonb NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organisation_id, route, key)
);
CREATE INDEX idempotency_age ON access.idempotency (created_at);

CREATE TABLE studio.channels (
    id                 uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organisation_id    uuid NOT NULL REFERENCES accounts.organisations ON DELETE CASCADE,
    name               text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    niche              text,
    youtube_channel_id text,
    status             text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'paused', 'disabled')),
    settings           jsonb NOT NULL DEFAULT '{}',
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    deleted_at         timestamptz
);
CREATE INDEX channels_newest ON studio.channels (organisation_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX channels_youtube_channel_id ON studio.channels (youtube_channel_id) WHERE deleted_at IS NULL;

CREATE TABLE studio.videos (
    id                  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organisation_id     uuid NOT NULL REFERENCES accounts.organisations ON DELETE CASCADE,
    channel_id          uuid NOT NULL REFERENCES studio.channels ON DELETE CASCADE,
    status              text NOT NULL DEFAULT 'queued'
                        CHECK (status IN ('draft', 'queued', 'processing', 'completed', 'scheduled', 'published', 'failed', 'cancelled')),
    -- What was asked for, as the API validated it.
    request             jsonb NOT NULL,
    priority            smallint NOT NULL DEFAULT 2 CHECK (priority BETWEEN 1 AND 3),
    title               text CHECK (length(title) <= 100),
    description         text CHECK (octet_length(description) <= 5000),
    tags                text[] NOT NULL DEFAULT '{}',
    attempt             integer NOT NULL DEFAULT 1 CHECK (attempt >= 1),
    progress            smallint NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
    current_step        text,
    -- {"step", "code", "message"} in words for the user; NULL unless failed.
    error               jsonb,
    -- What the production made: object keys of script, timeline, outputs; figures of the render's report.
    product             jsonb NOT NULL DEFAULT '{}',
    duration_seconds    numeric(9, 3),
    -- Written by models that nobody should publish (local stand-ins): shown in every answer.
    demo                boolean NOT NULL DEFAULT false,
    -- Past this the sweeper ends the attempt: no video is processing for ever.
    deadline_at         timestamptz,
    cancel_requested_at timestamptz,
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    completed_at        timestamptz,
    deleted_at          timestamptz
);
CREATE INDEX videos_newest ON studio.videos (organisation_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX videos_of_channel ON studio.videos (channel_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX videos_open ON studio.videos (deadline_at) WHERE status IN ('queued', 'processing');

CREATE TABLE studio.video_log (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    video_id uuid NOT NULL REFERENCES studio.videos ON DELETE CASCADE,
    attempt  integer NOT NULL,
    at       timestamptz NOT NULL DEFAULT now(),
    step     text NOT NULL,
    level    text NOT NULL DEFAULT 'info' CHECK (level IN ('info', 'warning', 'error')),
    message  text NOT NULL
);
CREATE INDEX video_log_of_video ON studio.video_log (video_id, id);

CREATE TABLE studio.assets (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organisation_id uuid NOT NULL REFERENCES accounts.organisations ON DELETE CASCADE,
    kind            text NOT NULL CHECK (kind IN ('image', 'clip', 'audio', 'thumbnail')),
    content_type    text NOT NULL,
    bytes           bigint NOT NULL CHECK (bytes > 0),
    sha256          text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    object_key      text NOT NULL,
    licence         text,
    status          text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'ready', 'refused')),
    created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX assets_newest ON studio.assets (organisation_id, created_at DESC, id DESC);

-- One row for each thing paid for. `charge` names it (step and the hash of the product), so that recording it twice changes nothing.
CREATE TABLE ledger.costs (
    organisation_id uuid NOT NULL REFERENCES accounts.organisations ON DELETE CASCADE,
    video_id        uuid NOT NULL REFERENCES studio.videos ON DELETE CASCADE,
    charge          text NOT NULL,
    step            text NOT NULL CHECK (step IN ('script', 'voice', 'visuals', 'render', 'upload', 'storage')),
    provider        text NOT NULL,
    item            text NOT NULL,
    quantity        numeric(20, 6) NOT NULL CHECK (quantity >= 0),
    unit            text NOT NULL,
    amount_usd      numeric(14, 8) NOT NULL CHECK (amount_usd >= 0),
    -- True when a local stand-in did the work: what it would have cost at list price, not money spent.
    list_price_only boolean NOT NULL DEFAULT false,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (video_id, charge)
);
CREATE INDEX costs_of_organisation ON ledger.costs (organisation_id, recorded_at);
