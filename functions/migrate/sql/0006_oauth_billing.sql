-- Who logs in by Google, whose accounts and voices an organisation works with, whose a channel is, and what was paid.

-- A login or a connection that was begun at Google. Hashes only: without the browser's cookie a row opens nothing.
CREATE TABLE access.oauth_states (
    state_sha256   text PRIMARY KEY,
    -- Of the browser's cookie and, for a connection, of who began it for which organisation.
    browser_sha256 text NOT NULL,
    provider       text NOT NULL CHECK (provider IN ('google', 'youtube')),
    redirect_uri   text NOT NULL,
    -- The code was exchanged; all that may still come is the second factor of this user, who is then this subject.
    taken_at       timestamptz,
    user_id        uuid REFERENCES accounts.users ON DELETE CASCADE,
    subject        text,
    expires_at     timestamptz NOT NULL
);
CREATE INDEX oauth_states_age ON access.oauth_states (expires_at);
CREATE INDEX oauth_states_of_user ON access.oauth_states (user_id) WHERE user_id IS NOT NULL;

-- A provider's id of a person: addresses change hands, these don't.
CREATE TABLE accounts.identities (
    provider  text NOT NULL CHECK (provider IN ('google')),
    subject   text NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
    user_id   uuid NOT NULL REFERENCES accounts.users ON DELETE CASCADE,
    linked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (provider, subject)
);
CREATE UNIQUE INDEX identities_of_user_key ON accounts.identities (user_id, provider);

-- Accounts elsewhere that an organisation may act on. Their tokens lie sealed in the state table, under the row's id.
CREATE TABLE accounts.connections (
    id              uuid PRIMARY KEY,
    organisation_id uuid NOT NULL REFERENCES accounts.organisations ON DELETE CASCADE,
    provider        text NOT NULL CHECK (provider IN ('youtube')),
    subject         text NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
    connected_by    uuid REFERENCES accounts.users ON DELETE SET NULL,
    scopes          text[] NOT NULL,
    connected_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT connections_of_organisation_key UNIQUE (organisation_id, provider, subject)
);
CREATE INDEX connections_by_user ON accounts.connections (connected_by);

-- Cloned voices, each of one organisation: nobody else speaks with it.
CREATE TABLE accounts.voices (
    provider_id     text PRIMARY KEY CHECK (provider_id ~ '^[A-Za-z0-9]{10,40}$'),
    organisation_id uuid NOT NULL REFERENCES accounts.organisations ON DELETE CASCADE,
    added_at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX voices_of_organisation ON accounts.voices (organisation_id);

-- Ten channels are a user's share: whose those are that were made before is in the audit log.
UPDATE studio.channels c
   SET created_by = e.subject
  FROM audit.events e
 WHERE c.created_by IS NULL AND e.thing = 'channel' AND e.action = 'add' AND e.thing_id = c.id::text AND e.subject NOT LIKE 'service:%';
UPDATE studio.channels c
   SET created_by = c.organisation_id || '/' || e.subject
  FROM audit.events e
 WHERE c.created_by IS NULL AND e.thing = 'channel' AND e.action = 'add' AND e.thing_id = c.id::text;
CREATE INDEX channels_of_creator ON studio.channels (created_by) WHERE deleted_at IS NULL;

-- A thumbnail of the user's own goes before the rendered one.
ALTER TABLE studio.videos ADD COLUMN thumbnail_asset_id uuid REFERENCES studio.assets ON DELETE SET NULL;
CREATE INDEX videos_of_thumbnail ON studio.videos (thumbnail_asset_id) WHERE thumbnail_asset_id IS NOT NULL;

ALTER TABLE accounts.organisations ADD COLUMN plan text NOT NULL DEFAULT 'standard' CHECK (plan ~ '^[a-z][a-z0-9_]{0,39}$');

-- What an organisation has paid ahead, each once by its reference. One without any row is billed afterwards and never runs out.
CREATE TABLE ledger.credits (
    organisation_id uuid NOT NULL REFERENCES accounts.organisations ON DELETE CASCADE,
    reference       text NOT NULL CHECK (length(reference) BETWEEN 1 AND 200),
    -- Negative for what is taken back.
    amount_usd      numeric(14, 2) NOT NULL,
    added_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organisation_id, reference)
);

CREATE TABLE ledger.invoices (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organisation_id uuid NOT NULL REFERENCES accounts.organisations ON DELETE CASCADE,
    number          text NOT NULL CHECK (length(number) BETWEEN 1 AND 50),
    period_begins   date NOT NULL,
    period_ends     date NOT NULL CHECK (period_ends >= period_begins),
    amount_usd      numeric(14, 2) NOT NULL CHECK (amount_usd >= 0),
    status          text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'paid', 'void')),
    issued_at       timestamptz NOT NULL DEFAULT now(),
    paid_at         timestamptz
);
CREATE UNIQUE INDEX invoices_number_key ON ledger.invoices (number);
CREATE INDEX invoices_newest ON ledger.invoices (organisation_id, issued_at DESC, id DESC);
