-- Content owners that the stage's service account at Google acts for, in place of a person's connected account.
ALTER TABLE rights.content_owners ADD COLUMN uses_service_account boolean NOT NULL DEFAULT false;
