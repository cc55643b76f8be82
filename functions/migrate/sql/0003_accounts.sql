-- People, their organisations, what they log in with, and what was done by whom.

CREATE SCHEMA audit;

CREATE TABLE accounts.users (
    id                 uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    email              text NOT NULL CHECK (length(email) BETWEEN 3 AND 254 AND email = lower(email)),
    username           text CHECK (username ~ '^[a-z0-9_.-]{3,40}$'),
    full_name          text NOT NULL CHECK (length(full_name) BETWEEN 1 AND 200),
    company            text CHECK (length(company) <= 200),
    password_hash      text,
    platform_admin     boolean NOT NULL DEFAULT false,
    verified_at        timestamptz,
    -- Sealed under a KMS data key; only a confirmed secret is asked for at login.
    mfa_secret         text,
    mfa_confirmed_at   timestamptz,
    -- The newest time step that a code was taken for: the same code doesn't work twice.
    mfa_step           bigint NOT NULL DEFAULT 0,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    last_login_at      timestamptz,
    erased_at          timestamptz
);
CREATE UNIQUE INDEX users_email_key ON accounts.users (email);
CREATE UNIQUE INDEX users_username_key ON accounts.users (username);
CREATE INDEX users_newest ON accounts.users (created_at DESC, id DESC);

CREATE TABLE accounts.members (
    organisation_id uuid NOT NULL REFERENCES accounts.organisations ON DELETE CASCADE,
    user_id         uuid NOT NULL REFERENCES accounts.users ON DELETE CASCADE,
    role            text NOT NULL CHECK (role IN ('user', 'viewer')),
    is_owner        boolean NOT NULL DEFAULT false,
    joined_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organisation_id, user_id)
);
CREATE INDEX members_of_user ON accounts.members (user_id, joined_at);

-- What is sent by e-mail and works once: verify, reset, invite. Only the hash is kept.
CREATE TABLE access.mail_tokens (
    token_sha256    text PRIMARY KEY,
    kind            text NOT NULL CHECK (kind IN ('verify', 'reset', 'invite')),
    user_id         uuid REFERENCES accounts.users ON DELETE CASCADE,
    organisation_id uuid REFERENCES accounts.organisations ON DELETE CASCADE,
    email           text NOT NULL,
    role            text CHECK (role IN ('user', 'viewer')),
    expires_at      timestamptz NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX mail_tokens_age ON access.mail_tokens (expires_at);
CREATE INDEX mail_tokens_of_organisation ON access.mail_tokens (organisation_id) WHERE kind = 'invite';

-- One family for each login; its tokens rotate. A spent one that comes back late ends the family.
CREATE TABLE access.refresh_families (
    id              uuid PRIMARY KEY,
    user_id         uuid NOT NULL REFERENCES accounts.users ON DELETE CASCADE,
    organisation_id uuid NOT NULL REFERENCES accounts.organisations ON DELETE CASCADE,
    created_at      timestamptz NOT NULL DEFAULT now(),
    revoked_at      timestamptz
);
CREATE INDEX refresh_families_of_user ON access.refresh_families (user_id);

CREATE TABLE access.refresh_tokens (
    token_sha256 text PRIMARY KEY,
    family_id    uuid NOT NULL REFERENCES access.refresh_families ON DELETE CASCADE,
    expires_at   timestamptz NOT NULL,
    spent_at     timestamptz
);
CREATE INDEX refresh_tokens_of_family ON access.refresh_tokens (family_id);

-- Wrong logins by account, real or not, and by account and known place. UNLOGGED: a crash forgives everyone.
CREATE UNLOGGED TABLE access.login_attempts (
    key             text PRIMARY KEY,
    attempts        integer NOT NULL DEFAULT 1,
    last_at         timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Addresses and devices that somebody has logged in from: a stranger's failures don't lock them out.
CREATE TABLE access.known_places (
    user_id      uuid NOT NULL REFERENCES accounts.users ON DELETE CASCADE,
    place_sha256 text NOT NULL,
    seen_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, place_sha256)
);

CREATE TABLE access.recovery_codes (
    user_id     uuid NOT NULL REFERENCES accounts.users ON DELETE CASCADE,
    code_sha256 text NOT NULL,
    PRIMARY KEY (user_id, code_sha256)
);

CREATE TABLE access.api_keys (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organisation_id uuid NOT NULL REFERENCES accounts.organisations ON DELETE CASCADE,
    created_by      text NOT NULL,
    name            text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    prefix          text NOT NULL,
    key_sha256      text NOT NULL,
    scopes          text[] NOT NULL CHECK (cardinality(scopes) > 0),
    created_at      timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz,
    last_used_at    timestamptz
);
CREATE UNIQUE INDEX api_keys_key_sha256_key ON access.api_keys (key_sha256);
CREATE INDEX api_keys_newest ON access.api_keys (organisation_id, created_at DESC, id DESC);

CREATE TABLE access.service_tokens (
    id              uuid PRIMARY KEY, -- the token's jti
    organisation_id uuid NOT NULL REFERENCES accounts.organisations ON DELETE CASCADE,
    created_by      text NOT NULL,
    name            text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    scopes          text[] NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz NOT NULL,
    revoked_at      timestamptz
);
CREATE INDEX service_tokens_newest ON access.service_tokens (organisation_id, created_at DESC, id DESC);

-- Who, as whom, did what to which thing. Names of people aren't kept here, only ids, so that an erasure leaves the rows and takes the person.
CREATE TABLE audit.events (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at              timestamptz NOT NULL DEFAULT now(),
    organisation_id uuid,
    subject         text NOT NULL,
    actor           text,
    action          text NOT NULL,
    thing           text NOT NULL,
    thing_id        text NOT NULL,
    change          jsonb NOT NULL DEFAULT '{}',
    request_id      text NOT NULL,
    address         inet
);
CREATE INDEX events_newest ON audit.events (id DESC);
CREATE INDEX events_of_subject ON audit.events (subject, id DESC);
CREATE INDEX events_of_thing ON audit.events (thing, thing_id, id DESC);
CREATE INDEX events_of_organisation ON audit.events (organisation_id, id DESC);

CREATE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit rows are only added' USING ERRCODE = 'insufficient_privilege', CONSTRAINT = 'audit_events_append_only';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.events FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit.events FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
REVOKE UPDATE, DELETE, TRUNCATE ON audit.events FROM PUBLIC;

ALTER TABLE studio.channels ADD COLUMN created_by text;
