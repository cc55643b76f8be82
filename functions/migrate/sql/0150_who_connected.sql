-- Who has connected an artist's account, to be told when its platform ends the permission. Accounts that were connected
-- before have nobody.
ALTER TABLE metrics.accounts ADD COLUMN connected_by uuid REFERENCES accounts.users ON DELETE SET NULL;
CREATE INDEX accounts_by_who_connected ON metrics.accounts (connected_by);
