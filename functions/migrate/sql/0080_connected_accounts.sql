-- Accounts of artists on TikTok and Instagram, which their owners connect.

-- disconnected: its owner withdrew the permission, or it has expired. lost_reason says so.
ALTER TABLE metrics.accounts
    DROP CONSTRAINT accounts_state_check,
    ADD CONSTRAINT accounts_state_check CHECK (state IN ('new', 'found', 'missing', 'disconnected')),
    ADD COLUMN lost_reason  text CHECK (length(lost_reason) <= 1000),
    ADD COLUMN connected_at timestamptz;

ALTER TABLE access.oauth_states
    DROP CONSTRAINT oauth_states_provider_check,
    ADD CONSTRAINT oauth_states_provider_check CHECK (provider IN ('google', 'youtube', 'tiktok', 'instagram'));
