-- When the person who connected an account was told that its platform has ended the permission: an email that isn't
-- recorded here is sent again when the step is repeated. Those of before were told, or nobody will be.
ALTER TABLE metrics.accounts ADD COLUMN lost_told_at timestamptz;
UPDATE metrics.accounts SET lost_told_at = now() WHERE lost_reason IS NOT NULL;
