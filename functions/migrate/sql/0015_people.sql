-- Several people may administer an organisation; one of its members owns it.
ALTER TABLE accounts.members ADD COLUMN is_admin boolean NOT NULL DEFAULT false;

-- Suspended: refused from the next request on; nothing is deleted.
ALTER TABLE accounts.users ADD COLUMN suspended_at timestamptz, ADD COLUMN suspended_reason text CHECK (length(suspended_reason) <= 500);
ALTER TABLE accounts.organisations
    ADD COLUMN suspended_at timestamptz,
    ADD COLUMN suspended_reason text CHECK (length(suspended_reason) <= 500),
    -- Deleted: closed at once, purged after 30 days.
    ADD COLUMN deleted_at timestamptz,
    -- What a platform admin allows beside the plan: {"videos_per_day", "channels", "assets", "asset_bytes"}.
    ADD COLUMN limits jsonb NOT NULL DEFAULT '{}';
CREATE INDEX organisations_deleted ON accounts.organisations (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE accounts.organisation_removals (
    organisation_id uuid PRIMARY KEY REFERENCES accounts.organisations ON DELETE CASCADE,
    token_sha256    text NOT NULL,
    expires_at      timestamptz NOT NULL
);

-- A removed asset keeps its row while its upload address still works, so that what is uploaded again is found and deleted.
ALTER TABLE studio.assets DROP CONSTRAINT assets_status_check;
ALTER TABLE studio.assets ADD CONSTRAINT assets_status_check CHECK (status IN ('pending', 'ready', 'refused', 'removed'));
CREATE INDEX assets_to_sweep ON studio.assets (created_at) WHERE status <> 'ready';
