-- An organisation may bring its own Google project: OAuth client (in SSM) and quota. It is never pooled with the stage's.
CREATE TABLE accounts.google_projects (
    organisation_id uuid PRIMARY KEY REFERENCES accounts.organisations ON DELETE CASCADE,
    -- Units and uploads of a day (Pacific time) that Google grants the project.
    units_a_day     integer NOT NULL CHECK (units_a_day BETWEEN 1 AND 100000000),
    inserts_a_day   integer NOT NULL CHECK (inserts_a_day BETWEEN 1 AND 1000000),
    set_at          timestamptz NOT NULL DEFAULT now()
);

-- Whose client made the connection: a refresh token is valid for its client only, and calls count for its project.
ALTER TABLE accounts.connections ADD COLUMN own_project boolean NOT NULL DEFAULT false;
