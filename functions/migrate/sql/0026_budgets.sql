-- What the next paid step of a production may cost at most. It counts against the budgets of video, channel and organisation until the step is settled.
-- A production pays for one step after the other, so it has one reservation at a time.
CREATE TABLE ledger.reservations (
    video_id        uuid PRIMARY KEY REFERENCES studio.videos ON DELETE CASCADE,
    organisation_id uuid NOT NULL REFERENCES accounts.organisations ON DELETE CASCADE,
    channel_id      uuid NOT NULL REFERENCES studio.channels ON DELETE CASCADE,
    step            text NOT NULL CHECK (step IN ('script', 'voice', 'visuals', 'render', 'upload', 'storage')),
    amount_usd      numeric(14, 8) NOT NULL CHECK (amount_usd >= 0),
    reserved_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX reservations_of_organisation ON ledger.reservations (organisation_id);
CREATE INDEX reservations_of_channel ON ledger.reservations (channel_id);
