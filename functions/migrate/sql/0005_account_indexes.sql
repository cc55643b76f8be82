-- Deleting a user or an organisation looks for what hangs on it.
CREATE INDEX refresh_families_of_organisation ON access.refresh_families (organisation_id);
CREATE INDEX mail_tokens_of_user ON access.mail_tokens (user_id);
CREATE INDEX mail_tokens_of_organisation_all ON access.mail_tokens (organisation_id);
DROP INDEX access.mail_tokens_of_organisation;
