-- Who calls how often, which tokens are denied, and whether we are under maintenance.

-- The first answer is kept to the byte.
ALTER TABLE access.idempotency ALTER COLUMN answer TYPE json;

CREATE UNLOGGED TABLE access.windows (
    key      text NOT NULL,
    seconds  integer NOT NULL CHECK (seconds > 0),
    quota    integer NOT NULL,
    bucket   bigint NOT NULL,
    count    integer NOT NULL,
    previous integer NOT NULL DEFAULT 0,
    admitted boolean NOT NULL DEFAULT true,
    PRIMARY KEY (key, seconds)
) WITH (fillfactor = 50); -- every call updates its rows in place

-- What a window holds now: the current bucket and the share of the one before that is still inside.
CREATE FUNCTION access.used(bucket bigint, count integer, previous integer, seconds integer) RETURNS double precision LANGUAGE sql VOLATILE AS $$
    SELECT CASE floor(extract(epoch FROM clock_timestamp()) / seconds)::bigint - bucket
           WHEN 0 THEN count + previous * (1 - (extract(epoch FROM clock_timestamp()) / seconds - bucket))::double precision
           WHEN 1 THEN count * (1 - (extract(epoch FROM clock_timestamp()) / seconds - bucket - 1))::double precision
           ELSE 0 END
$$;

-- Logged out before they expired. Logged: a crash must not bring a token back to life.
CREATE TABLE access.denied_tokens (
    token_id   text PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
CREATE INDEX denied_tokens_age ON access.denied_tokens (expires_at);

-- At most one row; none means open.
CREATE TABLE access.maintenance (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    message    text NOT NULL CHECK (length(message) BETWEEN 1 AND 500),
    ends_at    timestamptz NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    started_by text NOT NULL
);

-- A channel is removed by two calls; this is what the first one gave out.
CREATE TABLE studio.channel_removals (
    channel_id      uuid PRIMARY KEY REFERENCES studio.channels ON DELETE CASCADE,
    organisation_id uuid NOT NULL REFERENCES accounts.organisations ON DELETE CASCADE,
    token_sha256    text NOT NULL,
    expires_at      timestamptz NOT NULL
);
