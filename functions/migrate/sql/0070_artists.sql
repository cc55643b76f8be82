-- Artists whose figures on the platforms an organisation follows, and their accounts there.

CREATE SCHEMA metrics;
GRANT USAGE ON SCHEMA metrics TO showrunner_functions;

CREATE TABLE metrics.artists (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organisation_id uuid NOT NULL REFERENCES accounts.organisations ON DELETE CASCADE,
    name            text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    -- How often figures are collected: active hourly, standard daily.
    tier            text NOT NULL DEFAULT 'standard' CHECK (tier IN ('active', 'standard')),
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (id, organisation_id)
);
-- A roster is imported again and again: its rows find their artists by name.
CREATE UNIQUE INDEX artists_name ON metrics.artists (organisation_id, lower(name));
CREATE INDEX artists_newest ON metrics.artists (organisation_id, created_at DESC, id DESC);
CREATE INDEX artists_of_tier ON metrics.artists (organisation_id, tier, created_at DESC, id DESC);

CREATE TABLE metrics.accounts (
    artist_id       uuid NOT NULL,
    organisation_id uuid NOT NULL,
    platform        text NOT NULL CHECK (platform IN ('youtube', 'spotify', 'tiktok', 'instagram')),
    -- The platform's own id: of a channel on YouTube.
    account_id      text NOT NULL CHECK (length(account_id) BETWEEN 1 AND 200),
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (artist_id, platform),
    FOREIGN KEY (artist_id, organisation_id) REFERENCES metrics.artists (id, organisation_id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX accounts_of_organisation ON metrics.accounts (organisation_id, platform, account_id);

GRANT SELECT, INSERT, UPDATE, DELETE ON metrics.artists, metrics.accounts TO showrunner_functions;
