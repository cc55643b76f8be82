-- Which emails a person doesn't want, and the key of the links in those emails that say so without a login.
ALTER TABLE accounts.users
    ADD COLUMN muted text[] NOT NULL DEFAULT '{}' CHECK (muted <@ ARRAY['low_backlog']),
    ADD COLUMN unsubscribe_key uuid NOT NULL DEFAULT gen_random_uuid();
CREATE UNIQUE INDEX users_unsubscribe_key ON accounts.users (unsubscribe_key);
